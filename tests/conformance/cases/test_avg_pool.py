"""Each case of `avg_pool` is what its flag says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tests.conformance.cases.rows import HALF, is_tie, rows


def steps(case: dict[str, Any]) -> Fraction:
    """The exact mean in steps of the result."""
    mean = Fraction(case["total"], case["count"]) - case["x_zero"]
    return mean * Fraction(case["x_scale"]) / Fraction(case["scale"])


def is_clipped(case: dict[str, Any]) -> bool:
    """Whether the sum ran into an end of what so many codes can have."""
    return case["total"] in (case["count"] * case["qmin"], case["count"] * case["qmax"])


def test_means_are_ties_unless_the_codes_have_no_such_sum() -> None:
    cases = list(rows("tie", "avg_pool"))
    assert all(is_tie(steps(case)) or is_clipped(case) for case in cases)
    assert sum(is_tie(steps(case)) for case in cases) > len(cases) * 0.7


def test_near_ties_are_one_of_the_sum_beside_a_tie() -> None:
    for case in rows("near_tie", "avg_pool"):
        beside = [steps({**case, "total": case["total"] + step}) for step in (-1, 1)]
        assert any(map(is_tie, beside)) or is_clipped(case)


def test_an_odd_count_has_no_tie_but_half_a_code_beside_it() -> None:
    sides = set()
    for case in rows("odd_count", "avg_pool"):
        assert case["count"] % 2 == 1
        distance = steps(case) % 1 - HALF
        assert abs(distance) == Fraction(1, 2 * case["count"])
        sides.add(distance > 0)
    assert sides == {True, False}


def test_an_empty_window_has_no_code() -> None:
    assert {case["count"] for case in rows("empty", "avg_pool", rejects=True)} == {0}


def test_close_ties_are_mostly_ties_in_float32() -> None:
    means = [steps(case) for case in rows("close_tie", "avg_pool", edition=2)]
    closer = [is_tie(Fraction(float(np.float32(float(mean))))) for mean in means]
    assert sum(closer) > 50  # of 60
    assert sum(map(is_tie, means)) < 10


def test_large_sums_are_no_float32_and_beside_ties() -> None:
    rounded = 0
    for case in rows("large_sum", "avg_pool", edition=2):
        total = case["total"] - case["count"] * case["x_zero"]
        assert total > 2**24
        assert abs(steps(case) % 1 - HALF) == Fraction(1, 2 * case["count"])
        rounded += int(np.float32(total)) != total
    assert rounded > 20  # of 60
