"""Claim 3: compute the output of a layer with one part of its error switched off.

`layer_errors` defines the parts: weight, activation and propagated.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.operations import OPERATIONS, Node, windows
from aquant_ref.ptq.network import LearnedNetwork, Quantizers
from aquant_ref.ptq.placement import SUMS
from aquant_ref.typing import Reals

Arrays = Mapping[str, Reals]

PARTS = ("weight", "activation", "propagated")
WHOLE = "nothing"  # switched off: the whole error


class Switched:
    """The float network and the quantized `network`, both run on `images`, real (N, C, H, W).

    `exact` holds the tensors of the float network, `stored` those of the quantized one after their
    quantizers, as its nodes read them, and `arriving` the same before their quantizers. The methods
    take the part to switch off: one of PARTS, or WHOLE for nothing.
    """

    def __init__(self, network: LearnedNetwork, images: Reals) -> None:
        self.network, self.graph = network, network.graph
        self.quantizers = Quantizers(network)
        self.weights = network.weights()
        self.exact = self.graph.evaluate(network.parameters, {INPUT: images})
        self.arriving: dict[str, Reals] = {INPUT: images}

        def store(name: str, x: Reals) -> Reals:
            self.arriving[name] = x
            return np.asarray(self.quantizers.store(name, x))

        self.stored = self.graph.evaluate(
            self.weights, {INPUT: images}, hook=store, operate=self.quantizers.operate
        )

    def weight(self, name: str, off: str) -> Reals:
        """Return the weight of layer `name` with the part `off` switched off."""
        weights = self.network.parameters if off == "weight" else self.weights
        return weights[f"{name}.weight"]

    def output(self, name: str, off: str) -> Reals:
        """Return the output of layer or add `name` with the part `off` switched off."""
        if off == WHOLE:
            return self.arriving[name]
        node = self.graph.node(name)
        if node.op == "add":
            terms = [self._term(term, off) for term in node.inputs]
            if off == "activation":
                return OPERATIONS[node.op].apply(node, {}, *terms)
            return np.asarray(self.quantizers.operate(node, {}, *terms))
        parameters = {"weight": self.weight(name, off), "bias": self.weights[f"{name}.bias"]}
        return self._layer(node, parameters, self._input(node.inputs[0], off), off)

    def rows(self, name: str, off: str | None) -> Reals:
        """Return the rows of the im2col matrix of layer `name`, (N, R, positions).

        The part `off` is switched off; None stands for the float network.
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
        # an identity matrix as weight returns every row, rounded
        unit = np.tile(np.eye(geometry.rows // groups, dtype=x.dtype), (groups, 1))
        parameters = {
            "weight": unit.reshape(geometry.rows, -1, *geometry.kernel),
            "bias": np.zeros(geometry.rows, x.dtype),
        }
        return self._layer(node, parameters, x, str(off)).reshape(len(x), geometry.rows, -1)

    def _term(self, name: str, off: str) -> Reals:
        """Return a branch of an add: an unrounded sum, or a stored tensor."""
        if name not in self.network.tensors and self.graph.node(name).op in SUMS:
            return self.output(name, off)
        return self._input(name, off)

    def _input(self, name: str, off: str) -> Reals:
        """Return tensor `name` as a node reads it, before the node's own rounding."""
        if off == "activation":
            return self._read(name, self.arriving, False)
        if off == "propagated":
            return self._read(name, self.exact, True)
        return self.stored[name]

    def _layer(self, node: Node, parameters: Arrays, x: Reals, off: str) -> Reals:
        """Apply the layer to x, rounded as in the quantized network whatever the weights."""
        if off == "activation":
            return OPERATIONS[node.op].apply(node, parameters, x)
        if node.name in self.network.windows:
            weight = self.weights[f"{node.name}.weight"]  # whose errors are fed back
            return np.asarray(self.quantizers.in_windows(node, parameters, x, fed_back=weight))
        return np.asarray(self.quantizers.operate(node, parameters, x))

    def _read(self, name: str, tensors: Arrays, rounded: bool) -> Reals:
        """Return tensor `name`, computed from its source tensor, unrounded in `tensors`."""
        if name in self.network.tensors or self.network.source(name) is None:
            x = tensors[name]
            return np.asarray(self.quantizers.store(name, x)) if rounded else x
        node = self.graph.node(name)
        return OPERATIONS[node.op].apply(node, {}, self._read(node.inputs[0], tensors, rounded))
