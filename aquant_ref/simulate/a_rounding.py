"""Simulate a quantized network with A-rounding (AQ-AROUND).

The weights are those of the quantized model. In each window of each inner convolution, a search
flips codes while the output gets nearer to that of the float network. Because it needs the float
network at inference, it is not deployable; it measures how much better rounding of activations
could gain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.checks import word
from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.operations import OPERATIONS, Node, windows
from aquant_ref.quant import border
from aquant_ref.quant.a_rounding import greedy_flips
from aquant_ref.simulate.simulation import Simulation
from aquant_ref.typing import Pixels, Reals

if TYPE_CHECKING:
    from aquant_ref.model.quantized_model import QuantizedModel

TARGETS = ("float", "own")


class ARounding:
    """Run `model` beside the float network with `parameters` (batch norm folded), in float32.

    `target` is the wanted output of a convolution: that of the "float" network, or its "own" output
    for unrounded activations, which ignores the errors of earlier layers. The search covers the
    convolutions that read a tensor of fewer than 8 bits. Raise InputError for an unknown target.
    """

    def __init__(
        self,
        model: QuantizedModel,
        parameters: Mapping[str, Reals],
        *,
        target: str = "float",
    ) -> None:
        self.model, self.exact = model, dict(parameters)
        self.target = word("target", target, TARGETS)
        self.parameters = Simulation(model, dtype=np.float32).parameters
        sources = {node.name: self.model.stored_as(node.inputs[0]) for node in model.graph.nodes}
        self._searched = {
            node.name: source
            for node in model.graph.nodes
            if node.op == "conv2d"
            and (source := sources[node.name]) is not None
            and model.tensors[source].bits < 8
        }
        self._unrounded = frozenset(self._searched.values())

    def logits(self, images: Pixels) -> Reals:
        """Return the real logits (N, classes) of uint8 `images` (N, C, H, W)."""
        graph = self.model.graph
        pixels = graph.to_float(images)
        exact = graph.evaluate(self.exact, {INPUT: pixels})

        def store(name: str, x: Reals) -> Reals:
            quantized = name in self.model.tensors and name not in self._unrounded
            return self._nearest(name, x) if quantized else x

        def operate(node: Node, parameters: Mapping[str, Reals], *inputs: Reals) -> Reals:
            if node.name in self._searched:
                return self._search(node, parameters, inputs[0], exact[node.name])
            pairs = zip(node.inputs, inputs, strict=True)
            rounded = [self._read(node, name, x) for name, x in pairs]
            return OPERATIONS[node.op].apply(node, parameters, *rounded)

        return graph.run(self.parameters, pixels, hook=store, operate=operate)

    def _read(self, node: Node, name: str, x: Reals) -> Reals:
        source = self.model.stored_as(name)
        moves = source not in self._unrounded or node.op in ("max_pool", "flatten")
        return x if source is None or moves else self._nearest(source, x)

    def _nearest(self, name: str, x: Reals) -> Reals:
        tensor = self.model.tensors[name]
        middle = border.nearest_crossings(tensor.bits, -tensor.low)
        codes = replace(tensor, crossings=middle).codes(x / x.dtype.type(tensor.scale))
        return tensor.real(codes, x.dtype)

    def _search(self, node: Node, parameters: Mapping[str, Reals], x: Reals, exact: Reals) -> Reals:
        weight = parameters["weight"]
        tensor = self.model.tensors[self._searched[node.name]]
        geometry = windows(node, x.shape[1:])
        groups = node["groups"]
        scale = x.dtype.type(tensor.scale)
        matrix = weight.reshape(groups, len(weight) // groups, -1) * scale
        t = geometry.columns(x).reshape(len(x), -1, geometry.positions) / scale
        by_group = (len(x), groups, -1, geometry.positions)
        if self.target == "own":
            goal = np.matmul(matrix, t.reshape(by_group))
        else:
            goal = exact - parameters["bias"][:, None, None]
        goal = goal.reshape(len(x), -1, geometry.positions)
        q = greedy_flips(t, matrix, goal.astype(x.dtype), low=tensor.low, high=tensor.high)
        out = np.matmul(matrix, q.reshape(by_group)).reshape(exact.shape)
        return np.asarray(out + parameters["bias"][:, None, None])
