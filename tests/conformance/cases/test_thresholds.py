"""Each case of `thresholds` is what its flag says."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.cases.rows import arrays


@pytest.mark.parametrize(("flag", "beside"), [("at_threshold", 0), ("below_threshold", 1)])
def test_accumulators_are_at_a_threshold_of_their_channel_or_one_below(
    flag: str, beside: int
) -> None:
    for row in arrays(flag, "thresholds", n=12):
        for acc, thresholds in zip(row["acc"], row["thresholds"], strict=True):
            assert np.isin(acc + beside, thresholds).all()


def test_every_channel_has_a_threshold_that_is_never_reached_and_one_has_two_that_always_are() -> (
    None
):
    for row in arrays("never", "thresholds", n=12):
        assert (row["thresholds"][:, -1] == 2**62).all()
        assert (row["thresholds"][:, :2] == -(2**62)).all(axis=1).sum() == 1


def test_thresholds_that_are_equal_are() -> None:
    for row in arrays("equal_thresholds", "thresholds", n=12):
        distinct = [len(set(thresholds)) for thresholds in row["thresholds"].tolist()]
        assert max(distinct) <= 2


def test_only_what_has_to_be_refused_is_not_sorted() -> None:
    for flag, rejects in (("random", False), ("unsorted", True)):
        for row in arrays(flag, "thresholds", rejects=rejects, n=12):
            falls = np.diff(row["thresholds"], axis=1) < 0
            assert falls.any() == rejects
