from __future__ import annotations

import pytest

from aquant_ref.conformance.cases.sequence import FAMILIES
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.conformance.vectors import VECTORS
from aquant_ref.conformance.vectors.read import path_of
from aquant_ref.conformance.vectors.write import text

FILES = [(name, each) for name in FAMILIES for each in ("", *OPERATIONS[name].alternatives)]


@pytest.mark.parametrize("operation", FAMILIES)
def test_the_vectors_are_what_the_generator_writes(operation: str) -> None:
    for alternative in ("", *OPERATIONS[operation].alternatives):
        stored = path_of(VECTORS, operation, alternative).read_text(encoding="utf-8")
        assert text(operation, alternative) == stored


def test_there_is_a_file_of_each_operation_and_alternative() -> None:
    assert {*VECTORS.iterdir()} == {path_of(VECTORS, *each) for each in FILES}


def test_the_vectors_stay_small() -> None:
    assert sum(path.stat().st_size for path in VECTORS.iterdir()) < 5_000_000
