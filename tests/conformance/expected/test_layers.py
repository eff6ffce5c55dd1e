"""The right answers of layers, worked out by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from aquant_ref.conformance.expected.layers import (
    add_tensors,
    conv2d,
    depthwise,
    geometry,
    int32,
    linear,
    units,
)
from aquant_ref.conformance.expected.refusal import Refused

CODES = {"zero_point": 1, "qmin": 0, "qmax": 255}
WINDOWS = {"stride": [1, 1], "padding": [0, 0, 0, 0], "dilation": [1, 1]}
# (2 - 1) + (4 - 1) = 4 and (4 - 1) + (6 - 1) = 8; with the bias of one unit of 1/4, 5 and 9;
# M is 1/2, so 2.5 and 4.5 steps
LAYER: dict[str, Any] = {
    **{"x": [[[2, 4, 6]]], "x_scale": 0.5, "x_zero": 1, "weight": [[[[1, 1]]]]},
    **{"weight_scale": [0.5], "weight_zero": [0], "bias": [0.25], "scale": 0.5, **CODES},
    **WINDOWS,
}


@pytest.mark.parametrize(
    ("profile", "codes"), [("ideal", [4, 6]), ("exact", [4, 6]), ("float32", [3, 5])]
)
def test_a_convolution_is_rounded_once_in_each_profile(profile: str, codes: list[int]) -> None:
    """float32 rounds ties to even before the zero point is added."""
    assert conv2d(groups=1, profile=profile, **LAYER) == ([[codes]],)


def test_a_depthwise_layer_has_a_group_for_each_channel() -> None:
    two = {"x": LAYER["x"] * 2, "weight": [[[[1, 1]]], [[[1, 0]]]], "weight_zero": [0, 0]}
    two |= {"weight_scale": [0.5, 0.5], "bias": [0.25, 0.0]}
    # the second channel: 1 and 3 units, 1/2 and 3/2 steps
    assert depthwise(profile="ideal", **{**LAYER, **two}) == ([[[4, 6]], [[2, 3]]],)


def test_weights_have_zero_points_of_their_own() -> None:
    fields = {k: v for k, v in LAYER.items() if k not in WINDOWS}
    fields |= {"x": [2, 4], "weight": [[3, 1]], "weight_zero": [1]}
    # 1 * 2 + 3 * 0 + 1 = 3 units, 1.5 steps
    assert linear(profile="ideal", **fields) == ([3],)


def test_tensors_are_added_element_by_element() -> None:
    scales = {"a_scale": 0.5, "a_zero": 1, "b_scale": 0.25, "b_zero": 0, "scale": 1.0}
    assert add_tensors(a=[[[3, 1]]], b=[[[2, 0]]], **scales, **CODES) == ([[[3, 1]]],)


@pytest.mark.parametrize(
    "changed",
    [
        {"bias": [0.1]},  # no whole number of units
        {"groups": 2},
        {"scale": 0.0},
        {"x_scale": -0.5},
        {"stride": [0, 1]},
        {"weight": [[[[1, 1, 1, 1]]]]},  # wider than the image
        {"bias": [0.25 * 2**31]},  # beyond int32
    ],
)
def test_what_is_outside_the_contract_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        conv2d(**{**LAYER, "groups": 1, "profile": "exact", **changed})


def test_windows_are_in_the_form_of_the_oracle() -> None:
    got = geometry([[[0, 0]]], (1, 2), [1, 2], [0, 1, 2, 3], [1, 1])
    assert got == {"stride": (1, 2), "padding": ((0, 1), (2, 3)), "dilation": (1, 1)}


def test_int32_ends_where_it_ends() -> None:
    assert int32([[-(2**31), 2**31 - 1]]) == [[-(2**31), 2**31 - 1]]
    for beyond in (-(2**31) - 1, 2**31):
        with pytest.raises(Refused):
            int32([[beyond]])


def test_a_unit_is_the_exact_product() -> None:
    assert units(0.1, [0.1]) == [Fraction(0.1) ** 2] != [Fraction(0.1 * 0.1)]
