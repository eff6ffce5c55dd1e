"""Ask an engine that runs ONNX models."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from aquant_ref.conformance.adapters.engines.codes import storage_of
from aquant_ref.conformance.adapters.engines.eight_bit import (
    Output,
    Quantized,
    Weights,
    Windows,
)
from aquant_ref.conformance.adapters.engines.functions import Functions
from aquant_ref.conformance.adapters.engines.onnx_graph import INT64, Graph
from aquant_ref.typing import Array


class OnnxEngine(Functions):
    """Compute each operation by a model; the engine is what `run` calls."""

    def run(self, graph: Graph, result: str, dtype: Any, axes: int) -> Array:
        """Return the result of the model."""
        raise NotImplementedError

    def _quantize(self, real: Array, y: Output) -> Array:
        graph = Graph()
        result = graph.node("QuantizeLinear", graph.given(real), *ends(graph, y))
        return self.run(graph, result, y.storage.dtype, 1)

    def _dequantize(self, x: Quantized) -> Array:
        graph = Graph()
        return self.run(graph, dequantized(graph, x), x.scale.dtype, 1)

    def _rescale_codes(self, x: Quantized, y: Output) -> Array:
        graph = Graph()
        result = graph.node("QuantizeLinear", dequantized(graph, x), *ends(graph, y))
        return self.run(graph, result, y.storage.dtype, 1)

    def _max_pool(self, x: Array, kernel: tuple[int, int], windows: Windows) -> Array:
        graph = Graph()
        places = geometry(windows)
        result = graph.node("MaxPool", graph.given(x[None]), kernel_shape=kernel, **places)
        return self.run(graph, result, x.dtype, 4)[0]

    def _conv2d(self, x: Quantized, weights: Weights, windows: Windows, y: Output) -> Array:
        graph = Graph()
        kernel = graph.constant(weights.codes)
        result = graph.node(
            "QLinearConv",
            *stored(graph, x, x.codes[None]),
            kernel,
            *of_channels(graph, weights),
            *ends(graph, y),
            graph.constant(weights.bias),
            group=weights.groups,
            **geometry(windows),
        )
        return self.run(graph, within(graph, result, y), y.storage.dtype, 4)[0]

    def conv_integer(
        self,
        *,
        x: Array,
        x_zero: int,
        weight: Array,
        weight_zero: Array,
        groups: int,
        stride: tuple[int, int],
        padding: tuple[int, int, int, int],
        dilation: tuple[int, int],
    ) -> Array:
        """Spec: AQ-ACC-1."""
        if len(set(weight_zero.tolist())) > 1:
            raise NotImplementedError("one zero point is for all weights")
        graph = Graph()
        image, kernel = storage_of(x, x_zero), storage_of(weight, weight_zero)
        result = graph.node(
            "ConvInteger",
            graph.given(image.hold(x[None])),
            graph.constant(kernel.hold(weight)),
            graph.given(image.dtype(x_zero)),
            graph.given(kernel.dtype(weight_zero[0])),
            group=groups,
            **geometry(Windows(stride, padding, dilation)),
        )
        return self.run(graph, result, np.int32, 4)[0]

    def matmul_integer(self, *, a: Array, a_zero: Array, b: Array, b_zero: Array) -> Array:
        """Spec: AQ-ACC-2."""
        if len(set(a_zero.tolist())) > 1:
            raise NotImplementedError("one zero point is for all rows")
        graph = Graph()
        first, second = storage_of(a, a_zero), storage_of(b, b_zero)
        result = graph.node(
            "MatMulInteger",
            graph.given(first.hold(a)),
            graph.constant(second.hold(b)),
            graph.given(first.dtype(a_zero[0])),
            graph.constant(second.hold(b_zero)),
        )
        return self.run(graph, result, np.int32, 2)

    def _matmul(self, a: Quantized, b: Quantized, y: Output) -> Array:
        graph = Graph()
        result = graph.node("QLinearMatMul", *stored(graph, a), *stored(graph, b), *ends(graph, y))
        return self.run(graph, within(graph, result, y), y.storage.dtype, 3)

    def _lookup(self, x: Array, table: Array, least: int) -> Array:
        graph = Graph()
        places = graph.node("Cast", graph.given(x), to=INT64)
        index = graph.node("Sub", places, graph.constant(np.int64(least)))
        return self.run(graph, graph.node("Gather", graph.constant(table), index), table.dtype, 3)

    def _activation(self, function: str, x: Quantized, alpha: float, y: Output) -> Array:
        graph = Graph()
        value = function_of(graph, function, dequantized(graph, x), alpha)
        result = graph.node("QuantizeLinear", value, *ends(graph, y))
        return self.run(graph, within(graph, result, y), y.storage.dtype, 1)

    def clip(self, *, v: Array, low: Array, high: Array) -> Array:
        """Spec: AQ-INT-1."""
        graph = Graph()
        ends = (graph.given(np.int64(end[0])) for end in (low, high))
        return self.run(graph, graph.node("Clip", graph.given(v), *ends), np.int64, 1)


def function_of(graph: Graph, function: str, t: str, alpha: float) -> str:
    """Apply a function of AQ-CODES-14."""
    if function == "silu":
        return graph.node("Mul", t, graph.node("Sigmoid", t))
    if function == "gelu":  # an operator of opset 20; this is its definition
        half, one = (graph.constant(np.float32(v)) for v in (0.5, 1.0))
        argument = graph.node("Mul", t, graph.constant(np.float32(math.sqrt(0.5))))
        grown = graph.node("Add", graph.node("Erf", argument), one)
        return graph.node("Mul", graph.node("Mul", t, half), grown)
    if function == "hard_sigmoid":
        return graph.node("HardSigmoid", t, alpha=1 / 6, beta=0.5)
    if function in ("leaky_relu", "elu"):
        return graph.node({"leaky_relu": "LeakyRelu", "elu": "Elu"}[function], t, alpha=alpha)
    names = {"sigmoid": "Sigmoid", "tanh": "Tanh", "hard_swish": "HardSwish", "exp": "Exp"}
    return graph.node(names[function], t)


def ends(graph: Graph, y: Output) -> tuple[str, str]:
    """Add scale and zero point of a result."""
    return graph.given(y.scale), graph.given(y.storage.dtype(y.zero))


def stored(graph: Graph, x: Quantized, codes: Array | None = None) -> tuple[str, str, str]:
    """Add codes with their scale and zero point."""
    held = x.codes if codes is None else codes
    return graph.given(held), graph.given(x.scale), graph.given(held.dtype.type(x.zero))


def dequantized(graph: Graph, x: Quantized, codes: Array | None = None) -> str:
    """Add codes as real numbers."""
    return graph.node("DequantizeLinear", *stored(graph, x, codes))


def of_channels(graph: Graph, weights: Weights) -> tuple[str, str]:
    """Add scales and zero points of weights: one of each if all channels share it."""
    scale, zero = weights.scale, weights.zero.astype(weights.codes.dtype)
    if weights.alike:
        scale, zero = scale[0], zero[0]
    return graph.constant(scale), graph.constant(zero)


def geometry(windows: Windows) -> dict[str, Any]:
    """Return the attributes of windows."""
    top, bottom, left, right = windows.padding
    return {
        "strides": list(windows.stride),
        "pads": [top, left, bottom, right],
        "dilations": list(windows.dilation),
    }


def within(graph: Graph, codes: str, y: Output) -> str:
    """Clip codes where their range is not that of the type."""
    if y.whole:
        return codes
    low, high = (graph.constant(y.storage.dtype(end)) for end in (y.qmin, y.qmax))
    return graph.node("Clip", codes, low, high)
