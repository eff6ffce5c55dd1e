"""Put the reference evaluator of ONNX under test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.adapters.engines.eight_bit import LAYERS
from aquant_ref.conformance.adapters.engines.onnx_engine import (
    OnnxEngine,
    dequantized,
    ends,
    geometry,
    within,
)
from aquant_ref.conformance.adapters.engines.onnx_graph import BFLOAT16, Graph
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters.engines.eight_bit import Output, Quantized, Windows


class OnnxReference(OnnxEngine):
    """Compute as the evaluator does; what has no quantized operator is dequantized first."""

    name = f"onnx reference evaluator {onnx.__version__}"

    def capabilities(self) -> Capabilities:
        """Declare float32, and float64 with the zero point before the rounding."""
        return Capabilities(
            bits=(8,),
            rounding=("half_even",),
            requantization=("float64_onnx",),
            variations=(
                "quantize:float32",
                "dequantize:float32",
                "quantize:float16",
                "dequantize:float16",
                "quantize:bfloat16",
                "dequantize:bfloat16",
                "add:float32",
                "add_tensors:float32",
                "avg_pool:onnx",
                "avg_pool2d:onnx",
                "rescale_codes:float32",
                "mul:float32",
                "activation:float32",
                "concat:float32",
                *(f"{name}:float64_product" for name in LAYERS),
            ),
        )

    def run(self, graph: Graph, result: str, dtype: Any, axes: int) -> Array:
        """Evaluate the model in numpy."""
        model = graph.model(result, dtype, [None] * axes)
        with np.errstate(all="ignore"):
            outputs: Any = ReferenceEvaluator(model).run(None, graph.feeds)
            return outputs[0]

    def _type(self, profile: str, scale: float) -> tuple[Any, Any]:
        if profile == "bfloat16":
            return BFLOAT16, np.asarray(scale).astype(BFLOAT16)
        return super()._type(profile, scale)

    def _add(self, a: Quantized, b: Quantized, y: Output) -> Array:
        return self._of_terms("Add", a, b, y)

    def _mul(self, a: Quantized, b: Quantized, y: Output) -> Array:
        return self._of_terms("Mul", a, b, y)

    def _concat(self, terms: list[Quantized], y: Output) -> Array:
        graph = Graph()
        parts = [dequantized(graph, term) for term in terms]
        joined = graph.node("Concat", *parts, axis=0)
        result = within(graph, graph.node("QuantizeLinear", joined, *ends(graph, y)), y)
        return self.run(graph, result, y.storage.dtype, 3)

    def _of_terms(self, operator: str, a: Quantized, b: Quantized, y: Output) -> Array:
        graph = Graph()
        total = graph.node(operator, dequantized(graph, a), dequantized(graph, b))
        result = within(graph, graph.node("QuantizeLinear", total, *ends(graph, y)), y)
        return self.run(graph, result, y.storage.dtype, a.codes.ndim)

    def _scales(self, multiplier: int, shift: int) -> Array:
        if int(np.float32(multiplier)) != multiplier:
            raise NotImplementedError("a scale has 24 bits")
        return super()._scales(multiplier, shift)

    def _avg_pool(
        self,
        x: Quantized,
        kernel: tuple[int, int],
        windows: Windows,
        count_padding: bool,
        y: Output,
    ) -> Array:
        graph = Graph()
        mean = graph.node(
            "AveragePool",
            dequantized(graph, x, x.codes[None]),
            kernel_shape=kernel,
            count_include_pad=int(count_padding),
            **geometry(windows),
        )
        result = within(graph, graph.node("QuantizeLinear", mean, *ends(graph, y)), y)
        return self.run(graph, result, y.storage.dtype, 4)[0]
