"""Claim 3: the bias of the element-wise error of every layer, and where it comes from.

In output channel o of a layer, at one position of one image, let x be what the layer reads in the
float network and w, b its float weights and bias; x~ what arrives in the quantized network before
this layer's rounding, x_hat that after it, and w_hat, b_hat the quantized weights and the bias. The
errors of the single products, w_hat*x_hat - w*x, summed over the window, and that of the bias are
the error of the output before its activation function,

    e = (w_hat . x_hat + b_hat) - (w . x + b)
      = (w_hat - w) . x_hat  +  w . (x_hat - x~)  +  w . (x~ - x)  +  (b_hat - b)
        weight part             activation part      propagated part

Switched off in turn, everything else as it is, are

    weight         (w . x_hat + b_hat) - (w . x + b)       float weights, the same roundings
    activation     (w_hat . x~ + b_hat) - (w . x + b)      this layer's input unrounded
    propagated     (w_hat . Q(x) + b_hat) - (w . x + b)    input from the float network, rounded by
                                                           this layer's quantizer Q

Where two branches meet in an add, the output is their sum, and a part is switched off in both: a
branch that is a layer as above, one that is read as it is counts as a layer of weight 1.

The *bias* of channel o is the mean of e over images and positions, its *deviation* the standard
deviation; the mean of e^2 is bias^2 + deviation^2. A layer is summed up by root mean squares over
its channels: of the bias, and of e itself. The unit is that of the layer's output; `spread`, the
root mean square over channels of the standard deviation of the float output, makes layers
comparable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.operations import OPERATIONS, Node
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.network import LearnedNetwork, Quantizers
from aquant_ref.ptq.partition import LAYERS

Array = NDArray[Any]
Arrays = Mapping[str, Array]

PARTS = ("weight", "activation", "propagated")
WHOLE = "nothing"  # what is switched off in the error as it is
BATCH = 32
SUMS = (*LAYERS, "add")


@dataclass(frozen=True)
class ChannelErrors:
    """The error of a layer's output: its mean and its standard deviation, (O,) float64 each."""

    bias: Array
    deviation: Array

    @property
    def rms_bias(self) -> float:
        """The root mean square over channels of the bias."""
        return float(np.sqrt(np.mean(self.bias**2)))

    @property
    def rms_error(self) -> float:
        """The root mean square over channels, images and positions of the error itself."""
        return float(np.sqrt(np.mean(self.bias**2 + self.deviation**2)))


@dataclass(frozen=True)
class LayerErrors:
    """The errors of layer or add `name` by what is switched off: WHOLE, and each of PARTS."""

    name: str
    spread: float
    without: Mapping[str, ChannelErrors]

    def result(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "layer": self.name,
            "spread": self.spread,
            "switched_off": {
                what: {
                    "rms_bias": each.rms_bias,
                    "rms_error": each.rms_error,
                    "bias": each.bias.tolist(),
                    "deviation": each.deviation.tolist(),
                }
                for what, each in self.without.items()
            },
        }


def layer_errors(
    network: LearnedNetwork, codes: Array, *, progress: Progress = quiet, label: str = "errors"
) -> list[LayerErrors]:
    """The errors of every layer and add of `network` on the uint8 images `codes` (N, C, H, W).

    Raises InputError if there are no images.
    """
    if len(codes) == 0:
        raise InputError("errors: there are no images")
    names = [node.name for node in network.graph.nodes if node.op in SUMS]
    outputs = {name: _Moments() for name in names}
    errors = {name: {what: _Moments() for what in (WHOLE, *PARTS)} for name in names}
    for start in progress(range(0, len(codes), BATCH), label):
        images = network.graph.to_float(codes[start : start + BATCH])
        switched = _Batch(network, images)
        for name in names:
            float_output = switched.exact[name]
            outputs[name].add(float_output)
            for what, moments in errors[name].items():
                moments.add(switched.output(name, what) - float_output)
    return [
        LayerErrors(
            name,
            float(np.sqrt(np.mean(outputs[name].channels().deviation ** 2))),
            {what: moments.channels() for what, moments in errors[name].items()},
        )
        for name in names
    ]


class _Moments:
    """Count, sum and sum of squares of each channel of (N, O, ...), in float64."""

    def __init__(self) -> None:
        self.count = 0
        self.sum: Any = 0.0
        self.squares: Any = 0.0

    def add(self, values: Array) -> None:
        values = values.astype(np.float64)
        axes = (0, *range(2, values.ndim))
        self.count += values.size // values.shape[1]
        self.sum = self.sum + values.sum(axis=axes)
        self.squares = self.squares + (values * values).sum(axis=axes)

    def channels(self) -> ChannelErrors:
        mean = self.sum / self.count
        return ChannelErrors(mean, np.sqrt(np.maximum(self.squares / self.count - mean**2, 0)))


class _Batch:
    """One batch through the float and the quantized network, and layers of it again, switched."""

    def __init__(self, network: LearnedNetwork, images: Array) -> None:
        self.network, self.graph = network, network.graph
        self.quantizers = Quantizers(network)
        self.weights = network.weights()
        self.exact = self.graph.evaluate(network.parameters, {INPUT: images})
        self.arriving: dict[str, Array] = {INPUT: images}  # before a quantizer

        def store(name: str, x: Array) -> Array:
            self.arriving[name] = x
            return np.asarray(self.quantizers.store(name, x))

        self.stored = self.graph.evaluate(
            self.weights, {INPUT: images}, hook=store, operate=self.quantizers.operate
        )

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
        own = {"weight": self.weights[f"{name}.weight"], "bias": self.weights[f"{name}.bias"]}
        source = node.inputs[0]
        if off == "activation":
            return OPERATIONS[node.op].apply(node, own, self._read(source, self.arriving, False))
        if off == "propagated":
            return self._layer(node, own, self._read(source, self.exact, True))
        exact = {**own, "weight": self.network.parameters[f"{name}.weight"]}
        return self._layer(node, exact, self.stored[source])

    def _term(self, name: str, off: str) -> Array:
        """A branch of an add: a sum that goes on unrounded, or a tensor that is read."""
        if name not in self.network.tensors and self.graph.node(name).op in SUMS:
            return self.output(name, off)
        if off == "weight":
            return self.stored[name]
        tensors = self.exact if off == "propagated" else self.arriving
        return self._read(name, tensors, off == "propagated")

    def _layer(self, node: Node, own: Arrays, x: Array) -> Array:
        """The layer on x, rounded as the quantized network does, whatever the weights."""
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
