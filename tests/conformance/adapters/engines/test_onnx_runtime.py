"""onnxruntime, by numbers calculated by hand."""

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


@pytest.mark.parametrize("name", ["onnxruntime"])
def test_a_layer_pads_multiplies_and_adds_its_bias(name: str, engine: Any) -> None:
    q = engine(name).conv2d(**LAYER)
    assert q.tolist() == [[[1, 1], [3, 5], [7, 9]]]  # 2x + 1, below a row of zeros
