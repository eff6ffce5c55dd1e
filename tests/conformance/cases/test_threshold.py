"""Each case of `threshold` is what its flag says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.cases.rows import rows


def three(case: dict[str, Any]) -> list[int]:
    """The thresholds of a case."""
    return [case["t0"], case["t1"], case["t2"]]


@pytest.mark.parametrize(("flag", "beside"), [("at_threshold", 0), ("below_threshold", 1)])
def test_accumulators_are_at_a_threshold_or_one_below(flag: str, beside: int) -> None:
    for case in rows(flag, "threshold"):
        assert case["acc"] + beside in three(case)


def test_two_thresholds_at_least_are_one() -> None:
    counts = {len(set(three(case))) for case in rows("equal_thresholds", "threshold")}
    assert counts == {1, 2}


def test_most_cases_have_thresholds_beyond_int32() -> None:
    cases = list(map(three, rows("never", "threshold")))
    assert {-(2**62), 2**62} <= set().union(*cases)
    assert sum(any(not -(2**31) <= t < 2**31 for t in case) for case in cases) > 50  # of 60


def test_only_what_has_to_be_refused_is_not_sorted() -> None:
    assert all(three(case) == sorted(three(case)) for case in rows("random", "threshold"))
    unsorted = rows("unsorted", "threshold", rejects=True)
    assert not any(three(case) == sorted(three(case)) for case in unsorted)
