"""Each case of `add` is what its flag says."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from tests.conformance.cases.rows import HALF, is_tie, rows


def branches(case: dict[str, Any]) -> list[Fraction]:
    """Both terms in steps of the result."""
    return [
        (case[name] - case[f"{name}_zero"])
        * Fraction(case[f"{name}_scale"])
        / Fraction(case["scale"])
        for name in ("a", "b")
    ]


def test_sums_are_ties_unless_the_second_code_ran_into_an_end() -> None:
    cases = list(rows("tie", "add"))
    ties = [is_tie(sum(branches(case), Fraction())) for case in cases]
    for case, tie in zip(cases, ties, strict=True):
        assert tie or case["b"] in (case["qmin"], case["qmax"])
    assert sum(ties) > len(cases) * 0.7


def test_near_ties_are_one_step_of_the_second_code_away() -> None:
    for case in rows("near_tie", "add"):
        near = (branches({**case, "b": case["b"] + step}) for step in (-1, 1))
        beside = any(is_tie(sum(each, Fraction())) for each in near)
        assert beside or case["b"] in (case["qmin"], case["qmax"])


def test_branches_of_less_than_half_a_step_add_up_to_a_code_of_their_own() -> None:
    differ = 0
    for case in rows("halves", "add"):
        first, second = branches(case)
        assert abs(first) < HALF
        assert abs(second) < HALF
        differ += math.floor(first + second + HALF) != 0
    assert differ > 15  # of 60; other sums are too small


def test_a_relu_begins_at_the_zero_point() -> None:
    assert all(case["qmin"] == case["zero_point"] for case in rows("relu", "add"))
    ends = rows("range_end", "add")
    assert all({case["a"], case["b"]} <= {case["qmin"], case["qmax"]} for case in ends)


def test_close_ties_are_ties_in_float32_where_there_is_room() -> None:
    cases = [sum(branches(case), Fraction()) for case in rows("close_tie", "add", edition=2)]
    assert not any(map(is_tie, cases))
    closer = [is_tie(Fraction(float(np.float32(float(steps))))) for steps in cases]
    assert all(closer[k] or abs(steps) < 1 for k, steps in enumerate(cases))
    assert sum(closer) > 45  # of 60
