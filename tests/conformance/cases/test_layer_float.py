"""Scales for layers in float32 are what their functions promise."""

from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.conformance.cases.layer_float import powers, settled_scale, single


@pytest.mark.parametrize("scale", np.linspace(0.001, 0.9, 200).tolist())
def test_a_settled_scale_is_the_reciprocal_of_its_reciprocal(scale: float) -> None:
    """Spec: AQ-LAYER-3."""
    settled = settled_scale(scale)
    assert np.float32(1) / (np.float32(1) / np.float32(settled)) == settled
    assert abs(settled - scale) < scale / 2**8
    assert (settled * 2**24) % 2 ** (np.frexp(settled)[1] + 12) == 0  # 12 bits


def test_single_rounds_to_float32() -> None:
    assert single(1 + 2.0**-25) == 1
    assert single(1 + 2.0**-23) == 1 + 2.0**-23


def test_powers_of_two_keep_the_bias_in_units() -> None:
    weight_scale = np.array([0.3, 0.1])
    bias = np.array([3, -5]) * 0.3 * weight_scale
    made = powers({"x_scale": 0.3, "scale": 0.7, "weight_scale": weight_scale, "bias": bias})
    assert (made["x_scale"], made["scale"]) == (0.25, 0.5)
    assert made["weight_scale"].tolist() == [0.25, 0.0625]
    assert made["bias"].tolist() == [3 / 16, -5 / 64]
