"""Each case of `mul` is what its flag says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from aquant_ref.conformance.cases.mul import OF_PEERS
from tests.conformance.cases.rows import HALF, is_tie, rows

PROFILES = ["", *OF_PEERS]


def product(case: dict[str, Any]) -> int:
    return int((case["a"] - case["a_zero"]) * (case["b"] - case["b_zero"]))


def steps(case: dict[str, Any]) -> Fraction:
    scales = Fraction(case["a_scale"]) * Fraction(case["b_scale"]) / Fraction(case["scale"])
    return product(case) * scales


@pytest.mark.parametrize("profile", PROFILES)
def test_products_are_ties_and_both_neighbours_are_codes(profile: str) -> None:
    for case in rows("tie", "mul", profile):
        assert is_tie(steps(case))
        assert float(steps(case)) == (
            product(case) * case["a_scale"] * case["b_scale"] / case["scale"]
        )
        for neighbour in (steps(case) - HALF, steps(case) + HALF):
            assert case["qmin"] <= neighbour + case["zero_point"] <= case["qmax"]


@pytest.mark.parametrize("profile", PROFILES)
def test_products_are_within_the_last_bits_of_a_tie(profile: str) -> None:
    for case in rows("beside_tie", "mul", profile):
        assert abs(steps(case) % 1 - HALF) < abs(steps(case)) / 2**20


def test_a_first_rounding_has_one_bit_more_than_the_result() -> None:
    for case in rows("two_roundings", "mul", "tflite"):
        assert 1 / 4 <= case["a_scale"] * case["b_scale"] / case["scale"] <= 1 / 2 + 2**-20


def test_products_are_0_or_the_largest() -> None:
    assert not any(product(case) for case in rows("zero", "mul"))
    for case in rows("range_end", "mul"):
        assert abs(product(case)) == (case["qmax"] - case["qmin"]) ** 2
    for case in rows("saturation", "mul"):
        assert abs(steps(case)) > 2.9 * (case["qmax"] - case["qmin"])


def test_refused_scales_are_none_and_multipliers_are_beyond_the_engine() -> None:
    for case in rows("no_scale", "mul", rejects=True):
        assert min(case[name] for name in ("a_scale", "b_scale", "scale")) <= 0
    for case in rows("ratio", "mul", "xnnpack", rejects=True):
        assert not 2.0**-16 <= case["a_scale"] * case["b_scale"] / case["scale"] < 2.0**8
