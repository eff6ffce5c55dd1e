"""Every variation of `matmul` is told from every other by a stored case."""

from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.conformance import OPERATIONS, vectors
from aquant_ref.conformance.adapters.engine import EngineAdapter
from tests.conformance.cases.rows import arrays

SAME = {"exact", "tflite_single"}  # AQ-FIXED-2: one arithmetic under two names


@pytest.mark.parametrize("own", OPERATIONS["matmul"].variations)
def test_no_variation_has_all_the_answers_of_another(own: str) -> None:
    """Past bug: the stored cases of `tflite_away` were those of six others."""
    left = {*OPERATIONS["matmul"].variations} - {own} - (SAME if own in SAME else set())
    groups = [g for g in vectors.load("matmul") if g.selection.profile == own]
    for group in sorted(groups, key=lambda g: -g.selection.edition):
        for k, right in enumerate(group.expected.low[0]):
            fields = {name: column[k] for name, column in group.cases.columns.items()}
            answers = {p: EngineAdapter().matmul(**fields, profile=p) for p in left}
            left = {p for p, q in answers.items() if np.array_equal(q, right)}
    assert left == set()


def test_three_batches_differ() -> None:
    for row in arrays("batch_of_3", "matmul", edition=4, n=4):
        assert len({each.tobytes() for each in row["b"]}) == 3


def test_sums_of_codes_pass_int16() -> None:
    for row in arrays("zero_sums", "matmul", bits=(8,), edition=4, n=4):
        assert (row["a"] - row["a_zero"]).sum(axis=2).max() > 2**15
        assert abs((row["a"] - row["a_zero"]) @ (row["b"] - row["b_zero"])).max() < 2**31
