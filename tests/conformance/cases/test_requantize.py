"""Each case of `requantize` is what its flag says."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest

from aquant_ref import oracle
from tests.conformance.cases.rows import HALF, rows


def requantized(flag: str) -> list[dict[str, Any]]:
    return list(rows(flag, "requantize", n=200))


def scaled(case: dict[str, Any]) -> Fraction:
    return Fraction(case["acc"] * case["multiplier"], 2 ** case["shift"])


@pytest.mark.parametrize(("flag", "sign"), [("tie", 1), ("negative_tie", -1)])
def test_ties_are_ties_on_their_side_of_zero_and_mostly_inside_the_range(
    flag: str, sign: int
) -> None:
    cases = requantized(flag)
    assert all(scaled(case) % 1 == Fraction(1, 2) for case in cases)
    assert sum(scaled(case) * sign > 0 for case in cases) > 0.95 * len(cases)
    inside = [case["qmin"] <= scaled(case) + case["zero_point"] <= case["qmax"] for case in cases]
    assert sum(inside) > 0.9 * len(cases)


def test_near_ties_are_the_accumulators_on_both_sides_of_a_tie() -> None:
    sides = set()
    for case in requantized("near_tie"):
        step = Fraction(case["multiplier"], 2 ** case["shift"])
        distance = scaled(case) - (scaled(case) // 1 + Fraction(1, 2))
        assert abs(distance) <= step
        sides.add(distance > 0)
    assert sides == {True, False}


def test_zero_points_are_odd_wherever_a_code_can_be() -> None:
    for case in requantized("random"):
        assert case["zero_point"] % 2 == 1


def test_a_relu_begins_at_the_zero_point_and_a_relu6_ends_below_the_largest_code() -> None:
    assert all(case["qmin"] == case["zero_point"] for case in requantized("relu"))
    ends = {2**b - 1 for b in (2, 4, 8, 16)} | {2 ** (b - 1) - 1 for b in (2, 4, 8, 16)}
    assert sum(case["qmax"] not in ends for case in requantized("relu6")) > 100


@pytest.mark.parametrize("profile", ["tflite_up", "tflite_away"])
def test_an_accumulator_stays_inside_int32_when_it_is_shifted_left(profile: str) -> None:
    for case in rows("above_one", "requantize", profile):
        assert case["shift"] < 31
        assert -(2**31) <= case["acc"] << (31 - case["shift"]) < 2**31


def test_at_most_two_bits_are_shifted_in_the_family_without_a_shift() -> None:
    assert {case["shift"] for case in rows("no_shift", "requantize", edition=1)} == {0, 1, 2}


@pytest.mark.parametrize("profile", ["tflite_up", "tflite_away"])
def test_the_first_of_two_roundings_is_of_a_negative_tie_that_decides(profile: str) -> None:
    for case in rows("first_tie", "requantize", profile, edition=2):
        first = Fraction(case["acc"] * case["multiplier"], 2**31)
        assert first < 0
        assert first % 1 == HALF
        rest = 2 ** (case["shift"] - 31)
        nearest = oracle.half_up if profile == "tflite_up" else oracle.half_away
        up, away = (nearest(Fraction(high(first), rest)) for high in (math.ceil, math.floor))
        assert up == away + 1
        assert case["qmin"] <= away + case["zero_point"] < case["qmax"]


def test_a_close_tie_is_one_for_float64_alone() -> None:
    """Past miss: a kernel that computes acc * (multiplier * 2^-shift) in float64 passed."""
    found = [*rows("close_tie", "requantize", edition=3)]
    for case in found:
        product, half = case["acc"] * case["multiplier"], 2 ** (case["shift"] - 1)
        off = abs(product) % half or half
        assert 0 < half - off < 50
        assert abs(product) // half % 2 == 0  # below the tie
        assert float(product) % half == 0
        below = abs(product) // (2 * half)
        assert case["qmin"] <= case["zero_point"] + below * (1 if product > 0 else -1)
    assert {case["acc"] > 0 for case in found} == {True, False}
    assert len({case["shift"] for case in found}) > 5


def test_the_last_shifts_leave_0_or_1() -> None:
    """Past miss: a kernel that answers 0 for shifts above 61 passed."""
    ones = 0
    for case in rows("last_shift", "requantize", edition=3):
        assert case["shift"] in (61, 62)
        t = Fraction(case["acc"] * case["multiplier"], 2 ** case["shift"])
        assert abs(t) < 2
        ones += case["shift"] == 62 and t >= HALF
    assert ones > 5
