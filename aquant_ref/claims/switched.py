"""A quantized network beside its float network, with one part of a layer's error switched off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.operations import OPERATIONS, Node, windows
from aquant_ref.ptq.network import LearnedNetwork, Quantizers
from aquant_ref.ptq.placement import SUMS

Array = NDArray[Any]
Arrays = Mapping[str, Array]

PARTS = ("weight", "activation", "propagated")
WHOLE = "nothing"  # what is switched off in the error as it is


class Switched:
    """The float network and the quantized `network` on `images`, real (N, C, H, W).

    `exact` are the tensors of the float network, `stored` those of the quantized one as its nodes
    read them, `arriving` the same before their quantizers. What is switched off is WHOLE (nothing)
    or one of PARTS, as `layer_errors` defines them.
    """

    def __init__(self, network: LearnedNetwork, images: Array) -> None:
        self.network, self.graph = network, network.graph
        self.quantizers = Quantizers(network)
        self.weights = network.weights()
        self.exact = self.graph.evaluate(network.parameters, {INPUT: images})
        self.arriving: dict[str, Array] = {INPUT: images}

        def store(name: str, x: Array) -> Array:
            self.arriving[name] = x
            return np.asarray(self.quantizers.store(name, x))

        self.stored = self.graph.evaluate(
            self.weights, {INPUT: images}, hook=store, operate=self.quantizers.operate
        )

    def weight(self, name: str, off: str) -> Array:
        """The weight of layer `name` with the part `off` switched off."""
        weights = self.network.parameters if off == "weight" else self.weights
        return weights[f"{name}.weight"]

    def output(self, name: str, off: str) -> Array:
        """The output of layer or add `name` with the part `off` switched off."""
        if off == WHOLE:
            return self.arriving[name]
        node = self.graph.node(name)
        if node.op == "add":
            terms = [self._term(term, off) for term in node.inputs]
            if off == "activation":
                return OPERATIONS[node.op].apply(node, {}, *terms)
            return np.asarray(self.quantizers.operate(node, {}, *terms))
        own = {"weight": self.weight(name, off), "bias": self.weights[f"{name}.bias"]}
        return self._layer(node, own, self._input(node.inputs[0], off), off)

    def rows(self, name: str, off: str | None) -> Array:
        """What meets the weights of layer `name`, (N, R, positions): the rows of its im2col matrix.

        With the part `off` switched off, or of the float network where that is None.
        """
        node = self.graph.node(name)
        x = self.exact[node.inputs[0]] if off is None else self._input(node.inputs[0], off)
        rounds = off not in (None, "activation")
        if rounds and name not in self.network.windows:
            x = np.asarray(self.quantizers.read(node.inputs[0], x))
        if node.op == "linear":
            return x[:, :, None]
        geometry = windows(node, x.shape[1:])
        if not rounds or name not in self.network.windows:
            return geometry.columns(x).reshape(len(x), geometry.rows, -1)
        groups = node["groups"]
        # a weight of ones and zeros lets every row through, rounded
        unit = np.tile(np.eye(geometry.rows // groups, dtype=x.dtype), (groups, 1))
        own = {
            "weight": unit.reshape(geometry.rows, -1, *geometry.kernel),
            "bias": np.zeros(geometry.rows, x.dtype),
        }
        return self._layer(node, own, x, str(off)).reshape(len(x), geometry.rows, -1)

    def _term(self, name: str, off: str) -> Array:
        """A branch of an add: a sum that goes on unrounded, or a tensor that is read."""
        if name not in self.network.tensors and self.graph.node(name).op in SUMS:
            return self.output(name, off)
        return self._input(name, off)

    def _input(self, name: str, off: str) -> Array:
        """Tensor `name` as it is read, before a reader's own rounding."""
        if off == "activation":
            return self._read(name, self.arriving, False)
        if off == "propagated":
            return self._read(name, self.exact, True)
        return self.stored[name]

    def _layer(self, node: Node, own: Arrays, x: Array, off: str) -> Array:
        """The layer on x, which is rounded as the quantized network does, whatever the weights."""
        if off == "activation":
            return OPERATIONS[node.op].apply(node, own, x)
        if node.name in self.network.windows:
            weight = self.weights[f"{node.name}.weight"]  # what feedback looks at
            return np.asarray(self.quantizers.in_windows(node, own, x, fed_back=weight))
        return np.asarray(self.quantizers.operate(node, own, x))

    def _read(self, name: str, tensors: Arrays, rounded: bool) -> Array:
        """Tensor `name` made of the unrounded values `tensors` of the tensor that it comes from."""
        if name in self.network.tensors or self.network.source(name) is None:
            x = tensors[name]
            return np.asarray(self.quantizers.store(name, x)) if rounded else x
        node = self.graph.node(name)
        return OPERATIONS[node.op].apply(node, {}, self._read(node.inputs[0], tensors, rounded))
