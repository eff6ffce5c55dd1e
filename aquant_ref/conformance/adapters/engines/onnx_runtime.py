"""Put onnxruntime under test, by its quantized operators."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.adapters.engines.eight_bit import LAYERS
from aquant_ref.conformance.adapters.engines.onnx_engine import (
    OnnxEngine,
    ends,
    geometry,
    of_channels,
    stored,
    within,
)
from aquant_ref.conformance.adapters.engines.onnx_graph import Graph
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters.engines.eight_bit import (
        Output,
        Quantized,
        Weights,
        Windows,
    )

ERRORS = 3  # the least severe that it logs


@lru_cache(maxsize=256)
def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class OnnxRuntime(OnnxEngine):
    """Compute on the CPU, with one thread."""

    name = f"onnxruntime {onnxruntime.__version__}"

    def capabilities(self) -> Capabilities:
        """Declare float32, rounded half even."""
        return Capabilities(
            bits=(8,),
            rounding=("half_even",),
            requantization=("float32",),
            variations=(
                "quantize:float32",
                "dequantize:float32",
                "quantize:float16_to_float32",
                "dequantize:float16",
                "add:onnxruntime",
                "add_tensors:onnxruntime",
                "avg_pool:onnxruntime",
                "avg_pool2d:onnxruntime",
                "rescale_codes:float32",
                "mul:onnxruntime",
                "activation:float32",
                "concat:float32",
                *(f"{name}:{each}" for name in LAYERS for each in ("float32", "float32_product")),
            ),
        )

    def run(self, graph: Graph, result: str, dtype: Any, axes: int) -> Array:
        """Run the model in a session, which is kept for the next case that needs it."""
        model = graph.model(result, dtype, [None] * axes)
        return _session(model.SerializeToString()).run(None, graph.feeds)[0]

    def _add(self, a: Quantized, b: Quantized, y: Output) -> Array:
        return self._of_terms("com.microsoft::QLinearAdd", a, b, y)

    def _mul(self, a: Quantized, b: Quantized, y: Output) -> Array:
        return self._of_terms("com.microsoft::QLinearMul", a, b, y)

    def _of_terms(self, operator: str, a: Quantized, b: Quantized, y: Output) -> Array:
        graph = Graph()
        terms = (*stored(graph, a), *stored(graph, b))
        result = graph.node(operator, *terms, *ends(graph, y))
        return self.run(graph, within(graph, result, y), y.storage.dtype, a.codes.ndim)

    def _activation(self, function: str, x: Quantized, alpha: float, y: Output) -> Array:
        operators = {
            "sigmoid": ("QLinearSigmoid", {}),
            "leaky_relu": ("QLinearLeakyRelu", {"alpha": alpha}),
        }
        if function not in operators:
            return super()._activation(function, x, alpha, y)
        graph, (name, attributes) = Graph(), operators[function]
        arguments = (*stored(graph, x), *ends(graph, y))
        result = graph.node(f"com.microsoft::{name}", *arguments, **attributes)
        return self.run(graph, within(graph, result, y), y.storage.dtype, 1)

    def _concat(self, terms: list[Quantized], y: Output) -> Array:
        graph = Graph()
        places = ends(graph, y)
        parts = [value for term in terms for value in stored(graph, term)]
        result = graph.node("com.microsoft::QLinearConcat", *places, *parts, axis=0)
        return self.run(graph, within(graph, result, y), y.storage.dtype, 3)

    def _avg_pool(
        self,
        x: Quantized,
        kernel: tuple[int, int],
        windows: Windows,
        count_padding: bool,
        y: Output,
    ) -> Array:
        if windows.dilation != (1, 1):
            raise NotImplementedError("QLinearAveragePool has no dilations")
        graph = Graph()
        places = geometry(windows)
        result = graph.node(
            "com.microsoft::QLinearAveragePool",
            *stored(graph, x, x.codes[None]),
            *ends(graph, y),
            kernel_shape=kernel,
            strides=places["strides"],
            pads=places["pads"],
            count_include_pad=int(count_padding),
        )
        return self.run(graph, within(graph, result, y), y.storage.dtype, 4)[0]

    def _convolved(self, x: Quantized, weights: Weights, windows: Windows, y: Output) -> Array:
        if x.codes.dtype == np.int8 and weights.codes.dtype == np.uint8:
            raise NotImplementedError("no kernel has signed codes with unsigned weights")
        if len(set(weights.zero.tolist())) > 1:
            raise NotImplementedError("one zero point is for all weights")
        return super()._convolved(x, weights, windows, y)

    def _linear(self, x: Quantized, weights: Weights, _windows: Windows, y: Output) -> Array:
        graph = Graph()
        result = graph.node(
            "com.microsoft::QGemm",
            *stored(graph, x, x.codes[None]),
            graph.constant(weights.codes),
            *of_channels(graph, weights),
            graph.constant(weights.bias),
            *ends(graph, y),
            transB=1,
        )
        return self.run(graph, within(graph, result, y), y.storage.dtype, 2)[0]
