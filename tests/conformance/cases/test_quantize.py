"""Each case of `quantize` is what its flag says."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from tests.conformance.cases.rows import is_tie, rows


def steps(case: dict[str, Any]) -> Fraction:
    """The exact quotient."""
    return Fraction(case["r"]) / Fraction(case["scale"])


def test_quotients_are_ties_inside_the_range() -> None:
    for case in rows("tie", "quantize"):
        assert is_tie(steps(case))
        assert case["qmin"] <= steps(case) + case["zero_point"] <= case["qmax"]


def test_near_ties_are_neighbours_of_ties() -> None:
    for case in rows("near_tie", "quantize"):
        assert not is_tie(steps(case))
        around = (math.nextafter(case["r"], end) for end in (-math.inf, math.inf))
        assert any(is_tie(steps({**case, "r": r})) for r in around)


def test_most_float64_quotients_are_ties_where_few_exact_ones_are() -> None:
    cases = list(rows("quotient_tie", "quantize"))
    assert sum(is_tie(Fraction(case["r"] / case["scale"])) for case in cases) > 50  # of 60
    assert sum(is_tie(steps(case)) for case in cases) < 30


def test_a_code_at_an_end_is_at_most_two_inside_or_outside() -> None:
    for case in rows("range_end", "quantize"):
        code = steps(case) + case["zero_point"]
        assert min(abs(code - case[end]) for end in ("qmin", "qmax")) < 2.3


def test_quotients_beyond_int32_are() -> None:
    for case in rows("beyond_int32", "quantize"):
        assert abs(case["r"]) / case["scale"] >= 2**30 - 1
