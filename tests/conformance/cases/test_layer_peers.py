"""Each case of a layer in other engines is what its flag says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.cases.layer_parts import accumulators
from aquant_ref.conformance.cases.layer_peers import CONV2D
from tests.conformance.cases.rows import arrays

LAYERS = ("conv2d", "depthwise", "linear")
PROFILES = sorted(set(CONV2D) - {"tflite_16x8", "power_of_two"})  # in float32
HALF = Fraction(1, 2)


def reals(row: dict[str, Any]) -> list[list[Fraction]]:
    """The steps of every element, exactly."""
    scale = Fraction(row["scale"])
    channels = zip(accumulators(row).tolist(), row["weight_scale"], row["bias"], strict=True)
    return [
        [(v * Fraction(row["x_scale"]) * Fraction(w) + Fraction(b)) / scale for v in acc]
        for acc, w, b in channels
    ]


@pytest.mark.parametrize("operation", LAYERS)
@pytest.mark.parametrize("profile", PROFILES)
def test_an_element_beside_a_tie_is_within_its_last_bits(operation: str, profile: str) -> None:
    for row in arrays("beside_tie", operation, profile, n=6):
        steps = [t for channel in reals(row) for t in channel if t]
        assert min(abs(t % 1 - HALF) / (abs(t) + 1) for t in steps) < Fraction(1, 2**20)


@pytest.mark.parametrize("operation", LAYERS)
@pytest.mark.parametrize("profile", PROFILES)
def test_each_channel_of_a_tie_has_one(operation: str, profile: str) -> None:
    for row in arrays("tie", operation, profile, n=6):
        assert all(any(t % 1 == HALF for t in channel) for channel in reals(row))


@pytest.mark.parametrize("profile", PROFILES)
def test_scales_are_float32_and_codes_have_at_most_8_bits(profile: str) -> None:
    for row in arrays("windows", "conv2d", profile, n=6):
        assert row["qmax"] - row["qmin"] <= 255
        scales = [row["x_scale"], row["scale"], *row["weight_scale"]]
        assert all(float(np.float32(s)) == s for s in scales)


@pytest.mark.parametrize("profile", ["onednn", "fbgemm", "fbgemm_tensor", "qnnpack"])
def test_a_bias_is_half_a_unit_beside_whole_ones_but_for_rounding(profile: str) -> None:
    for row in arrays("fraction_bias", "linear", profile, n=6):
        units = row["bias"] / (row["x_scale"] * row["weight_scale"])
        assert (abs(units % 1 - 0.5) < 1e-4 * np.maximum(1, abs(units))).all()


def test_a_wrapping_layer_has_sums_on_both_sides_of_an_end() -> None:
    sides = set()
    for row in arrays("wrapping", "linear", "qnnpack", n=12):
        units = (row["bias"] / (row["x_scale"] * row["weight_scale"]))[1:]
        total = accumulators(row)[1:, 0] + np.clip(units, -(2**31), 2**31 - 1)
        sides |= {"wraps" if abs(t + 0.5) > 2**31 else "fits" for t in total}
    assert sides == {"wraps", "fits"}


def test_one_scale_is_one() -> None:
    for row in arrays("channel_scales", "conv2d", "fbgemm_tensor", n=6):
        assert len(set(row["weight_scale"])) == 1


@pytest.mark.parametrize("flag", ["tie", "wide_tie", "windows"])
def test_codes_of_16_bits_have_no_zero_points(flag: str) -> None:
    for row in arrays(flag, "conv2d", "tflite_16x8", n=6):
        assert (row["qmin"], row["qmax"]) == (-(2**15), 2**15 - 1)
        assert row["x_zero"] == row["zero_point"] == 0
        assert not row["weight_zero"].any()


def test_a_wide_tie_needs_more_than_32_bits() -> None:
    wide = []
    for row in arrays("wide_tie", "linear", "tflite_16x8", n=12):
        units = row["bias"] / (row["x_scale"] * row["weight_scale"])
        assert (units == np.rint(units)).all()
        wide.append(abs(accumulators(row)[:, 0] + units).max() > 2**34)
    assert sum(wide) > 6


@pytest.mark.parametrize("flag", ["tie", "channel_scales", "random"])
def test_each_multiplier_is_a_power_of_two(flag: str) -> None:
    for row in arrays(flag, "linear", "power_of_two", n=6):
        ratios = row["x_scale"] * row["weight_scale"] / row["scale"]
        assert (np.frexp(ratios)[0] == 0.5).all()
