"""Each case of `add_tensors` is what its flag says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tests.conformance.cases.rows import HALF, arrays, is_tie


def terms(row: dict[str, Any]) -> list[Any]:
    """Both terms in steps of the result, exactly."""
    return [
        (row[k] - row[f"{k}_zero"]) * Fraction(row[f"{k}_scale"]) / Fraction(row["scale"])
        for k in ("a", "b")
    ]


def test_a_quarter_of_the_sums_at_least_are_ties() -> None:
    for row in arrays("tie", "add_tensors", bits=(8,), n=12):
        steps = sum(terms(row)).ravel()
        assert sum(map(is_tie, steps)) > steps.size // 4


def test_terms_of_less_than_half_a_step_have_sums_of_more() -> None:
    more = 0
    for row in arrays("halves", "add_tensors", n=12):
        first, second = (abs(term) for term in terms(row))
        assert (first < HALF).all()
        assert (second < HALF).all()
        more += bool((abs(sum(terms(row))) > HALF).any())
    assert more > 6  # of 12


def test_a_close_tie_is_beside_one_by_less_than_float32_tells() -> None:
    for row in arrays("close_tie", "add_tensors", edition=4, n=6):
        steps = sum(terms(row)).ravel()
        distances = [abs(step % 1 - HALF) for step in steps]
        assert all(0 < distance < Fraction(1, 2**30) for distance in distances)


def test_far_sums_are_beyond_int32_in_steps() -> None:
    for row in arrays("far", "add_tensors", edition=4, bits=(8,), n=6):
        assert max(abs(sum(terms(row))).ravel()) >= 2**31


def test_both_tensors_have_one_shape_and_odd_zero_points() -> None:
    for row in arrays("random", "add_tensors", n=12):
        assert row["a"].shape == row["b"].shape
        assert all(row[name] % 2 == 1 for name in ("a_zero", "b_zero", "zero_point"))
        assert np.minimum(row["a"], row["b"]).min() >= row["qmin"]
