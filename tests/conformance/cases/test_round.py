"""Each case of `round` is what its flag says."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from tests.conformance.cases.rows import is_tie, rows


@pytest.mark.parametrize(("flag", "sign"), [("tie", 1), ("negative_tie", -1)])
def test_ties_are_ties_on_their_side_of_zero(flag: str, sign: int) -> None:
    for case in rows(flag, "round"):
        assert is_tie(Fraction(case["t"]))
        assert case["t"] * sign > 0


def test_a_near_tie_is_none_but_its_neighbour_is() -> None:
    seen = set()
    for case in rows("near_tie", "round"):
        seen.add(case["t"])
        assert not is_tie(Fraction(case["t"]))
        neighbours = (math.nextafter(case["t"], end) for end in (-math.inf, math.inf))
        assert any(is_tie(Fraction(each)) for each in neighbours)
    assert 0.49999999999999994 in seen


@pytest.mark.parametrize("flag", ["fraction", "random"])
def test_ordinary_numbers_are_no_ties(flag: str) -> None:
    assert not any(is_tie(Fraction(case["t"])) for case in rows(flag, "round"))


def test_integers_are_whole_and_what_is_beyond_int32_is() -> None:
    assert all(case["t"].is_integer() for case in rows("integer", "round"))
    assert all(abs(case["t"]) > 2**31 - 3 for case in rows("beyond_int32", "round"))
