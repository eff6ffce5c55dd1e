"""A quantized network whose activations are rounded as suits the float network best (AQ-AROUND).

The weights are those of the quantized model; in each window of each inner convolution the codes are
searched that bring the output nearest to the float network's. It looks at the float network at
inference and so is no network that anybody could deploy: it says how much there is to gain from
rounding activations well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.checks import word
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.operations import OPERATIONS, Node, windows
from aquant_ref.quant import border
from aquant_ref.quant.a_rounding import greedy_flips
from aquant_ref.simulate.simulation import Simulation

Array = NDArray[Any]

TARGETS = ("float", "own")


class ARounding:
    """`model` beside the float network with `parameters`, batch norm folded; float32.

    `target` is what a convolution's output should be: the "float" network's, or its "own" with
    activations as they arrive, which leaves the errors made before as they are. The convolutions
    that read a tensor of fewer than 8 bits are searched. Raises InputError for an unknown target.
    """

    def __init__(
        self,
        model: QuantizedModel,
        parameters: Mapping[str, Array],
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

    def logits(self, images: Array) -> Array:
        """The logits, real, of uint8 `images` (N, C, H, W)."""
        graph = self.model.graph
        pixels = graph.to_float(images)
        wanted = graph.evaluate(self.exact, {INPUT: pixels})

        def store(name: str, x: Array) -> Array:
            quantized = name in self.model.tensors and name not in self._unrounded
            return self._nearest(name, x) if quantized else x

        def operate(node: Node, own: Mapping[str, Array], *inputs: Array) -> Array:
            if node.name in self._searched:
                return self._search(node, own, inputs[0], wanted[node.name])
            read = [self._read(node, name, x) for name, x in zip(node.inputs, inputs, strict=True)]
            return OPERATIONS[node.op].apply(node, own, *read)

        return graph.run(self.parameters, pixels, hook=store, operate=operate)

    def _read(self, node: Node, name: str, x: Array) -> Array:
        source = self.model.stored_as(name)
        moves = source not in self._unrounded or node.op in ("max_pool", "flatten")
        return x if source is None or moves else self._nearest(source, x)

    def _nearest(self, name: str, x: Array) -> Array:
        tensor = self.model.tensors[name]
        middle = border.nearest_crossings(tensor.bits, -tensor.low)
        codes = replace(tensor, crossings=middle).codes(x / x.dtype.type(tensor.scale))
        return tensor.real(codes, x.dtype)

    def _search(self, node: Node, own: Mapping[str, Array], x: Array, wanted: Array) -> Array:
        weight = own["weight"]
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
            goal = wanted - own["bias"][:, None, None]
        goal = goal.reshape(len(x), -1, geometry.positions)
        q = greedy_flips(t, matrix, goal.astype(x.dtype), low=tensor.low, high=tensor.high)
        out = np.matmul(matrix, q.reshape(by_group)).reshape(wanted.shape)
        return np.asarray(out + own["bias"][:, None, None])
