"""The right answers of thresholds, crossings and fused borders, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.conformance.expected.refusal import Refused
from aquant_ref.conformance.expected.tables import (
    NEVER_LIFT,
    bordered_conv2d,
    fused_conv2d,
    thresholds,
)

WINDOWS: dict[str, Any] = {
    **{"stride": [1, 1], "padding": [0, 0, 0, 0], "dilation": [1, 1], "groups": 1}
}


def test_thresholds_that_are_reached_are_counted_channel_by_channel() -> None:
    got = thresholds(acc=[[[0, 5]], [[0, 5]]], thresholds=[[1, 5], [-9, 6]], least=-1)
    assert got == ([[[-1, 1]], [[0, 0]]],)
    with pytest.raises(Refused):
        thresholds(acc=[[[0]]], thresholds=[[5, 1]], least=0)
    with pytest.raises(Refused):
        thresholds(acc=[[[0]], [[0]]], thresholds=[[1]], least=0)


@pytest.mark.parametrize(("relu", "codes"), [(0, [0, 2]), (1, [1, 2])])
def test_a_crossing_that_is_met_is_reached(relu: int, codes: list[int]) -> None:
    """(x - 2) / 2 + 1/4 is -1/4 and 3/4; the crossings are -1/8 and 3/4."""
    got = bordered_conv2d(
        **{"x": [[[1, 3]]], "x_scale": 0.5, "x_zero": 2, "weight": [[[[1]]]], "relu": relu},
        **{"weight_scale": [1.0], "bias": [0.25], "scale": 1.0, "least": 0},
        **{"crossings": [[-0.125, 0.75]], **WINDOWS},
    )
    assert got == ([[codes]],)


def fused(**changed: Any) -> Any:
    """Two wide codes of a channel in a window: 1 with a lift of 4, and 3 that never goes up."""
    fields: dict[str, Any] = {
        **{"u": [[[1, 3]]], "pad_code": 0, "codes": [[0, 0, 1, 1]], "zero": 0, **WINDOWS},
        **{"lift": [[NEVER_LIFT, 4, NEVER_LIFT, NEVER_LIFT]], "fusion": [[0, 1, 0, 3]]},
        **{"weight": [[[[5, 7]]]]},
    }
    return fused_conv2d(**{**fields, **changed})


def test_a_code_goes_up_where_its_lift_reaches_the_sum_of_the_window() -> None:
    """The sum is 1 + 3 = 4; the codes are 0 + 1 and 1."""
    assert fused() == ([[[12]]],)
    assert fused(fusion=[[0, 2, 0, 3]]) == ([[[7]]],)
    assert fused(zero=1) == ([[[0]]],)


def test_padding_is_a_wide_code_like_any_other() -> None:
    """Windows (2, 1), (1, 3) and (3, 2); 2 means 1; lift 4 is above the first window's sum, 1."""
    assert fused(padding=[0, 0, 1, 1], pad_code=2) == ([[[12, 12, 12]]],)


@pytest.mark.parametrize(
    "changed",
    [
        {"u": [[[1, 4]]]},  # beyond the tables
        {"pad_code": -1},
        {"lift": [[0, 0, 0, 0]] * 3},  # neither one row nor one for each place
        {"fusion": [[0, 0, 0, 2**29]]},  # a sum could reach what never goes up
    ],
)
def test_what_is_outside_the_contract_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        fused(**changed)
