"""Each case of `border_round` is what its flag says."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from tests.conformance.cases.rows import rows


def test_the_fraction_is_the_border_or_a_neighbour_of_it() -> None:
    for case in rows("at_border", "border_round"):
        assert Fraction(case["t"]) % 1 == Fraction(case["border"])
    for flag, towards in (("below_border", math.inf), ("above_border", -math.inf)):
        for case in rows(flag, "border_round"):
            assert Fraction(case["t"]) % 1 != Fraction(case["border"])
            back = math.nextafter(case["t"], towards)
            assert Fraction(back) % 1 == Fraction(case["border"])


def test_below_an_integer_the_fraction_has_more_bits_than_a_float64() -> None:
    for case in rows("below_integer", "border_round"):
        assert -1 < case["t"] < 0
        exact = Fraction(case["t"]) % 1
        assert Fraction(float(exact)) != exact or case["t"] in (-(2.0**-53), -1e-9)


@pytest.mark.parametrize(("flag", "border"), [("half", 0.5), ("border_of_one", 1.0)])
def test_special_borders_are_those(flag: str, border: float) -> None:
    assert {case["border"] for case in rows(flag, "border_round")} == {border}


def test_borders_to_be_refused_are_outside_their_range() -> None:
    cases = rows("no_border", "border_round", rejects=True)
    assert not any(0 < case["border"] <= 1 for case in cases)


def test_large_numbers_are_odd_below_or_at_their_border_and_no_float32() -> None:
    sides = set()
    for case in rows("large", "border_round", edition=2):
        t, border = Fraction(case["t"]), Fraction(case["border"])
        assert abs(t) > 2**24
        assert math.floor(t - border + Fraction(1, 2)) % 2 == 1
        sides.add(t % 1 == border)
    assert sides == {True, False}
