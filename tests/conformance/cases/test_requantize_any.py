"""Each case of `requantize_any` is what its flag says."""

from __future__ import annotations

from fractions import Fraction

import pytest

from aquant_ref.conformance.expected.scalar import requantize, requantize_any
from tests.conformance.cases.rows import is_tie, rows


@pytest.mark.parametrize("profile", ["exact", "tflite_up", "tflite_away"])
@pytest.mark.parametrize(("flag", "sign"), [("tie", 1), ("negative_tie", -1)])
def test_ties_are_ties_with_multipliers_of_few_bits(profile: str, flag: str, sign: int) -> None:
    for case in rows(flag, "requantize_any", profile, n=100):
        steps = Fraction(case["acc"] * case["multiplier"], 2 ** case["shift"])
        assert is_tie(steps)
        assert steps * sign > 0
        assert case["multiplier"] < 2**30


def test_multipliers_are_odd_chosen_or_powers_of_two() -> None:
    chosen = {case["multiplier"] for case in rows("small_multiplier", "requantize_any")}
    assert {1, 2, 2**15, 2**30 - 1} <= chosen
    powers = {case["multiplier"] for case in rows("power_of_two", "requantize_any")}
    assert all(m & (m - 1) == 0 for m in powers)
    assert min(powers) == 1
    odd = [case["multiplier"] for case in rows("near_tie", "requantize_any")]
    assert all(m % 2 for m in odd)
    assert {m.bit_length() > 15 for m in odd} == {True, False}


def test_near_ties_are_the_accumulators_on_both_sides_of_a_tie() -> None:
    sides = set()
    for case in rows("near_tie", "requantize_any", n=100):
        steps = Fraction(case["acc"] * case["multiplier"], 2 ** case["shift"])
        distance = steps - (steps // 1 + Fraction(1, 2))
        if abs(distance) <= Fraction(case["multiplier"], 2 ** case["shift"]):
            sides.add(distance > 0)
    assert sides == {True, False}


@pytest.mark.parametrize("profile", ["exact", "tflite_up", "tflite_away"])
def test_a_multiplier_of_31_bits_is_requantized_as_ever(profile: str) -> None:
    for case in rows("near_tie", "requantize", profile, n=50):
        assert requantize_any(**case, profile=profile) == requantize(**case, profile=profile)


def test_small_multipliers_by_hand() -> None:
    """Spec: AQ-FIXED-10."""
    ends = {"zero_point": 0, "qmin": -128, "qmax": 127}
    half = {"acc": -1, "multiplier": 1, "shift": 1, **ends}
    # -1/2, and H = half_up(-2^30/2^31)
    assert {requantize_any(**half, profile=p) for p in ("exact", "tflite_away")} == {(0,)}
    # H = half_up(-5*2^28*3/2^31) = half_up(-1.875) = -2, then -2/2
    twice = {"acc": -5 * 2**28, "multiplier": 3, "shift": 32, **ends}
    assert requantize_any(**twice, profile="tflite_away") == (-1,)
    assert requantize_any(**twice, profile="exact") == (-1,)  # -0.9375
    # 2^31 - 1 times 1, in two roundings: H = half_up(0.9999...) = 1, then 1/2 goes up
    most = {"acc": 2**31 - 1, "multiplier": 1, "shift": 32, **ends}
    assert requantize_any(**most, profile="tflite_up") == (1,)
    assert requantize_any(**most, profile="exact") == (0,)
