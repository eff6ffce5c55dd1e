"""Engines that run ONNX models, by numbers calculated by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


@pytest.mark.parametrize("name", ["onnxruntime", "onnx-reference"])
def test_accumulators_are_those_of_centred_codes(name: str, engine: Any) -> None:
    sums = engine(name).matmul_integer(
        a=np.array([[3, 4]]), a_zero=np.array([1]), b=np.array([[5], [7]]), b_zero=np.array([2])
    )
    assert sums.tolist() == [[2 * 3 + 3 * 5]]
