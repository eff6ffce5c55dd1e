"""Simulation: the quantized network computed in floating point, as learning sees it.

Weights and activations are real numbers that happen to be integers times a scale
("fake-quantized"); every layer is the float layer of `nn`. Shares no arithmetic with the engine.
float64 by default; float32 is what frameworks use, and may differ by a code where a certificate
says *fragile*.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.quantized import QuantizedGraph
from aquant_ref.quant import border

Array = NDArray[Any]


class Simulation:
    """A quantized network ready to run in `dtype` (float64 or float32)."""

    def __init__(self, model: QuantizedGraph, *, dtype: Any = np.float64) -> None:
        self.model, self.dtype = model, np.dtype(dtype)
        self.parameters: dict[str, Array] = {}
        for name, layer in model.layers.items():
            weights = layer.integers()
            scale = model.weight_scale(name).reshape(-1, *(1,) * (weights.ndim - 1))
            self.parameters[f"{name}.weight"] = (weights * scale).astype(self.dtype)
            self.parameters[f"{name}.bias"] = layer.bias.astype(self.dtype)

    def run(self, images: Array) -> dict[str, Array]:
        """Codes of every quantized tensor and the logits, for uint8 `images` (N, C, H, W).

        Codes are uint8 (uint16 above 8 bits); the logits, under the name of the last node, are
        counted in the unit of the last layer: real / unit, rounded to int64.
        """
        codes: dict[str, Array] = {INPUT: images}

        def quantize(name: str, r: Array) -> Array:
            tensor = self.model.tensors.get(name)
            if tensor is None:
                return r
            t = r / self.dtype.type(tensor.scale)
            codes[name] = border.codes(t, tensor.crossings)
            return codes[name] * self.dtype.type(tensor.scale)

        image = images * self.dtype.type(self.model.tensors[INPUT].scale)
        graph = self.model.graph
        logits = graph.run(self.parameters, image, hook=quantize)
        unit = self.model.layers[graph.output].unit
        return {**codes, graph.output: np.rint(logits / unit).astype(np.int64)}
