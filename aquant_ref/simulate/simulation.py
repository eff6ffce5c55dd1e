"""Simulate a quantized network in floating point, with fake-quantized weights and activations.

Every tensor consists of the real numbers that its codes stand for, computed in `dtype`; every layer
is the float layer of `nn`. The simulation shares no arithmetic with the engine. The default is
float64; float32 is what frameworks use, and may differ by one code where the certificate says
*fragile*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aquant_ref.checks import check_codes, check_images, float_dtype, instance
from aquant_ref.model.quantized_model import PASSES_CODES, QuantizedModel
from aquant_ref.model.quantizers import FeedbackBorder, QuantizedTensor
from aquant_ref.nn.feedback import Feedback, fed_back
from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.operations import OPERATIONS, Node, windows
from aquant_ref.nn.straight_through import CodeRange
from aquant_ref.quant.feedback import FeedbackTables
from aquant_ref.quant.window import look_up
from aquant_ref.simulate.feedback import FeedbackRounding
from aquant_ref.threads import map_blocks
from aquant_ref.typing import Array, Codes, Pixels, Reals


class Simulation:
    """Run a quantized network in `dtype`, float64 or float32; raise InputError for another dtype.

    Spec: AQ-IDEAL-2, AQ-IDEAL-3.
    """

    def __init__(self, model: QuantizedModel, *, dtype: Any = np.float64) -> None:
        instance("model", model, QuantizedModel)
        self.model, self.dtype = model, float_dtype("dtype", dtype)
        model.check()
        self.parameters: dict[str, Reals] = {
            name: values.astype(self.dtype) for name, values in model.floats.items()
        }
        for name, layer in model.layers.items():
            weights = layer.integers()
            scale = model.weight_scale(name).reshape(-1, *(1,) * (weights.ndim - 1))
            self.parameters[f"{name}.weight"] = (weights * scale).astype(self.dtype)
            self.parameters[f"{name}.bias"] = layer.bias.astype(self.dtype)
        self._stored = {name: model.stored(name) for name in model.tensors}
        self._wide = model.wide()
        self._feedback = {
            name: Feedback.of(
                self.parameters[f"{name}.weight"],
                groups=model.graph.node(name)["groups"],
                rank=each.rank,
                reach=self._reach(name) if each.errors == "clipping" else None,
            )
            for name, each in model.windows.items()
            if isinstance(each, FeedbackBorder)
        }
        self._rounding = {
            name: FeedbackRounding(each)
            for name, each in model.windows.items()
            if isinstance(each, FeedbackTables)
        }

    def _reach(self, layer: str) -> tuple[float, float]:
        """Return the ends of the wide codes, in steps, that `layer` reads."""
        source = self.model.code_source(self.model.graph.node(layer).inputs[0])
        wide = self.model.tensors[source].wide_codes()
        return wide.least, wide.end

    def run(self, images: Pixels) -> dict[str, Array]:
        """Return the codes of all quantized tensors, and the logits, of uint8 images (N, C, H, W).

        Codes are uint8 or, if signed, int8; above 8 bits uint16 or int16. Tensors that readers
        round in windows have wide codes. Logits, under the name of the last node, are
        round(real / unit of the last layer), int64; for a last layer in floating point they are
        real. Raise InputError for images of another dtype or shape, and without images.
        """
        check_images(images, self.model.graph.shapes[INPUT])
        return self._run({INPUT: images}, self.model.graph.nodes)

    def compute(self, name: str, given: Mapping[str, Codes]) -> Array:
        """Compute the codes of tensor `name`, or the logits, from the codes `given` alone.

        `given` are codes of tensors that `name` depends on: quantized ones, or those that a max
        pool or reshape moves. Nothing else is computed. Raise InputError, which names the tensor,
        for values that it cannot have.
        """
        check_codes(given, self.model.graph.shapes)
        return self._run(given, self.model.graph.needed(name, given))[name]

    def _run(self, given: Mapping[str, Codes], nodes: Sequence[Node]) -> dict[str, Array]:
        """Return the codes `given`, those of all quantized tensors of `nodes`, and the logits."""
        graph = self.model.graph
        codes: dict[str, Array] = dict(given)

        def store(name: str, r: Reals) -> Reals:
            if name == graph.output:
                codes[name] = self._count(r)
            if name not in self._stored:
                return r
            codes[name] = self._codes(name, r)
            return self._stored[name].real(codes[name], self.dtype)

        real = {name: self._given(name, values) for name, values in given.items()}
        graph.evaluate(
            self.parameters, real, nodes=nodes, hook=store, operate=self._operate, forget=True
        )
        return codes

    def _given(self, name: str, codes: Codes) -> Reals:
        """Return the real numbers that `codes` of tensor `name` stand for."""
        source = self.model.stored_as(name)
        if source is not None and source != INPUT:
            return self._stored[source].real(codes, self.dtype)
        # The image, and a concat of several tensors, have one zero point per channel.
        zero = self.model.zero_point(name).reshape(-1, *(1,) * (codes.ndim - 2)).astype(self.dtype)
        scale = self.dtype.type(self.model.code_scale(name))
        return np.asarray((codes.astype(self.dtype) - zero) * scale)

    def logits(self, images: Pixels) -> Array:
        """Return only the logits of `run`."""
        return self.run(images)[self.model.graph.output]

    def _codes(self, name: str, r: Reals) -> Codes:
        """Return the codes of tensor `name` for the real output r of its node."""
        tensor = self._stored[name]
        return tensor.codes(r / self.dtype.type(tensor.scale))

    def _count(self, logits: Reals) -> Array:
        layer = self.model.layers.get(self.model.graph.output)
        return logits if layer is None else np.rint(logits / layer.unit).astype(np.int64)

    def _operate(self, node: Node, parameters: Mapping[str, Reals], *inputs: Reals) -> Reals:
        if node.name in self.model.windows:
            return self._in_windows(node, parameters, inputs[0])
        if self._wide and node.op not in PASSES_CODES:
            inputs = tuple(
                self._narrowed(name, x) for name, x in zip(node.inputs, inputs, strict=True)
            )
        return self._apply(node, parameters, *inputs)

    def _apply(self, node: Node, parameters: Mapping[str, Reals], *inputs: Reals) -> Reals:
        return OPERATIONS[node.op].apply(node, parameters, *inputs)

    def _narrowed(self, name: str, x: Reals) -> Reals:
        """Round wide codes to narrow ones, for layers without a border of their own."""
        source = self.model.stored_as(name)
        if source is None or source not in self._wide:
            return x
        narrow = self.model.narrow(source).codes[0][self._wide_codes(source, x)]
        return self.model.tensors[source].real(narrow, self.dtype)

    def _wide_codes(self, source: str, x: Reals) -> Codes:
        tensor = self._stored[source]
        return (np.rint(x / tensor.scale) + tensor.zero_point).astype(np.uint8)

    def _in_windows(self, node: Node, parameters: Mapping[str, Reals], x: Reals) -> Reals:
        border = self.model.windows[node.name]
        weight = parameters["weight"]
        geometry = windows(node, x.shape[1:])
        groups = node["groups"]
        matrix = weight.reshape(groups, len(weight) // groups, -1)
        source = self.model.code_source(node.inputs[0])
        tensor, stored = self.model.tensors[source], self._stored[source]
        wide = self._wide_codes(source, x)
        out = np.empty((len(x), *matrix.shape[:2], geometry.positions), self.dtype)

        def block(images: slice) -> None:
            columns = geometry.columns(wide[images], stored.zero_point)
            rows = columns.reshape(len(columns), geometry.channels, -1, geometry.positions)
            if isinstance(border, FeedbackBorder):
                steps = self._fed_back(rows, border, node.name, tensor)
            elif isinstance(border, FeedbackTables):
                whole = columns.reshape(len(columns), -1, geometry.positions)
                narrow = self._rounding[node.name].round(whole)
                steps = narrow.astype(self.dtype) - tensor.zero_point
            else:
                steps = border.round(rows).astype(self.dtype) - tensor.zero_point
            steps *= self.dtype.type(tensor.scale)
            steps = steps.reshape(len(columns), groups, -1, geometry.positions)
            np.matmul(matrix, steps, out=out[images])
            out[images] += parameters["bias"].reshape(groups, -1, 1)

        map_blocks(block, len(x), geometry.block(self.dtype.itemsize))
        return out.reshape(len(x), -1, geometry.out_height, geometry.out_width)

    def _fed_back(
        self, wide: Codes, border: FeedbackBorder, name: str, tensor: QuantizedTensor
    ) -> Reals:
        feedback = self._feedback[name]
        shape = (len(wide), len(feedback.gain), -1, wide.shape[3])
        t = tensor.wide_codes().steps().astype(self.dtype)[wide]
        borders = look_up(border.border.astype(self.dtype), wide)
        steps = CodeRange(tensor.low, tensor.high)
        q = fed_back(t.reshape(shape), borders.reshape(shape), feedback, steps)
        return np.clip(q, tensor.low, tensor.high).reshape(wide.shape)
