from __future__ import annotations

from pathlib import Path

from aquant_ref.conformance.cases.sequence import FAMILIES
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.conformance.vectors import VECTORS, generate
from aquant_ref.conformance.vectors.read import path_of


def test_the_vectors_are_what_the_generator_writes(tmp_path: Path) -> None:
    written = generate(tmp_path)
    names = [(name, "") for name in FAMILIES] + [
        (name, alternative)
        for name, each in OPERATIONS.items()
        for alternative in each.alternatives
    ]
    assert sorted(written) == sorted(path_of(tmp_path, *each) for each in names)
    for path in written:
        assert path.read_bytes() == (VECTORS / path.name).read_bytes()


def test_the_vectors_stay_small() -> None:
    assert sum(path.stat().st_size for path in VECTORS.iterdir()) < 5_000_000
