"""The right answers of pools, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.conformance.expected.pools import avg_pool2d, max_pool2d
from aquant_ref.conformance.expected.refusal import Refused

WINDOWS: dict[str, Any] = {"kernel": [2, 2], "stride": [2, 2], "dilation": [1, 1]}
SCALES = {"x_scale": 0.5, "x_zero": 1, "scale": 1.0, "zero_point": 1, "qmin": 0, "qmax": 255}
X = [[[2, 4, 7], [6, 5, 9]]]
PADDED = [0, 0, 0, 1]  # a column on the right


@pytest.mark.parametrize(("counted", "last"), [(1, 3), (0, 5)])
def test_a_mean_counts_padding_or_does_not(counted: int, last: int) -> None:
    """(1 + 3 + 5 + 4)/4 = 13/4 is 13/8 steps; (6 + 8) is 14/8 of 4 pixels, or 14/4 of 2."""
    got = avg_pool2d(x=X, **SCALES, padding=PADDED, count_padding=counted, **WINDOWS)
    assert got == ([[[3, last]]],)


def test_padding_never_wins_a_maximum() -> None:
    assert max_pool2d(x=[[[-3, -5, -9], [-4, -7, -8]]], padding=PADDED, **WINDOWS) == (
        [[[-3, -8]]],
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"padding": [2, 0, 0, 0]},  # a window of padding alone
        {"kernel": [3, 2]},
        {"stride": [0, 1]},
        {"padding": [-1, 0, 0, 0]},
    ],
)
def test_what_is_outside_the_contract_is_refused(changed: dict[str, Any]) -> None:
    for pool, more in ((max_pool2d, {}), (avg_pool2d, {**SCALES, "count_padding": 1})):
        with pytest.raises(Refused):
            pool(**{"x": X, "padding": PADDED, **WINDOWS, **more, **changed})
