"""Codes and weights of a layer, and its accumulators by hand."""

from __future__ import annotations

import numpy as np

from aquant_ref.conformance.cases.draw import CaseRandom
from aquant_ref.conformance.cases.layer_parts import accumulators, conv_parts, linear_parts, weights


def test_accumulators_of_a_linear_layer_are_those_by_hand() -> None:
    """(5 - 1)*3 + (2 - 1)*(-1) = 11; with the weights' zero points, 4*(3 - 2) + 1*(-1 - 2) = 1."""
    row = {"x": np.array([5, 2]), "x_zero": 1, "weight": np.array([[3, -1]])}
    assert accumulators(row).tolist() == [[11]]
    assert accumulators({**row, "weight_zero": np.array([2])}).tolist() == [[1]]


def test_accumulators_of_a_convolution_see_padding_as_the_zero_point() -> None:
    """One pixel of 5 - 1 in windows of 1 x 2 with a column of padding on each side."""
    row = {
        "x": np.array([[[5]]]),
        "x_zero": 1,
        "weight": np.array([[[[2, 3]]]]),
        "stride": np.array([1, 1]),
        "padding": np.array([0, 0, 1, 1]),
        "dilation": np.array([1, 1]),
        "groups": 1,
    }
    assert accumulators(row).tolist() == [[12, 8]]


def test_every_kernel_fits_its_padded_image() -> None:
    for k in range(20):
        row = conv_parts(
            CaseRandom(str(k)), (0, 3), size=(1, 1), kernel=(3, 3), padding=(1, 0, 2, 0)
        )
        assert row["weight"].shape[2:] == (2, 3)
        assert row["x"].shape[0] == row["weight"].shape[1]


def test_a_depthwise_layer_has_one_channel_a_group() -> None:
    for k in range(20):
        row = conv_parts(CaseRandom(str(k)), (0, 3), depthwise=True)
        assert row["weight"].shape[1] == 1
        assert len(row["weight"]) % len(row["x"]) == 0
        assert "groups" not in row


def test_a_linear_layer_has_unequal_numbers_of_channels() -> None:
    shapes = {linear_parts(CaseRandom(str(k)), (0, 3))["weight"].shape for k in range(20)}
    assert all(outputs != inputs for outputs, inputs in shapes)


def test_weights_are_signed_and_of_8_bits_at_most() -> None:
    wide = weights(CaseRandom("key"), 0, 65535, 200)
    assert (wide.min(), wide.max()) == (-128, 127)
    assert set(weights(CaseRandom("key"), 0, 3, 200).tolist()) == {-2, -1, 0, 1}
