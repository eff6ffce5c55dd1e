"""LiteRT, by numbers calculated by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

X = np.array([[[1, 2], [3, 4]]])
LAYER: dict[str, Any] = {
    "x": X,
    "x_scale": 1.0,
    "x_zero": 0,
    "weight": np.array([[[[2]]]]),
    "groups": 1,
    "weight_scale": np.array([1.0]),
    "weight_zero": np.array([0]),
    "bias": np.array([1.0]),
    "stride": (1, 1),
    "padding": (1, 0, 0, 0),
    "dilation": (1, 1),
    "scale": 1.0,
    "zero_point": 0,
    "qmin": 0,
    "qmax": 255,
}


@pytest.mark.parametrize("name", ["litert", "litert-optimised", "xnnpack"])
def test_a_layer_pads_multiplies_and_adds_its_bias(name: str, engine: Any) -> None:
    q = engine(name).conv2d(**LAYER)
    assert q.tolist() == [[[1, 1], [3, 5], [7, 9]]]  # 2x + 1, below a row of zeros


@pytest.mark.parametrize("name", ["litert", "litert-optimised"])
def test_a_layer_of_16_bit_codes_has_a_bias_of_64_bits(name: str, engine: Any) -> None:
    """Spec: AQ-LAYER-7: 2^32 less 2*30000 in steps of 2^18 are 16383.8."""
    wide = {"x": 10 * X - 30010, "bias": np.array([2.0**32]), "scale": 2.0**18}
    q = engine(name).conv2d(**LAYER | wide | {"qmin": -(2**15), "qmax": 2**15 - 1})
    assert q.tolist() == [[[16384, 16384]] * 3]
