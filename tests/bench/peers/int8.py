"""The 8-bit network that the peers run: every tensor in uint8 codes, weights symmetric int8.

It has the graph, the weights and so the products of ours, but the quantization that those engines
know: one scale and zero point for each tensor, ranges as the calibration images have them, weights
one scale a channel, biases int32. ReLU is the clip at the code of zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.experiments.inputs import Inputs
from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.operations import Node

Array = NDArray[Any]


@dataclass(frozen=True)
class Range:
    """scale*(code - zero_point) for codes 0..255."""

    scale: float
    zero_point: int

    @classmethod
    def of(cls, x: Array) -> Range:
        low, high = min(0.0, float(x.min())), max(0.0, float(x.max()))
        scale = (high - low) / 255 or 1.0
        return cls(scale, round(-low / scale))


@dataclass(frozen=True)
class Step:
    """An operation; `output` is the tensor after its ReLU, if it has one."""

    node: Node
    inputs: tuple[str, ...]
    output: str
    relu: bool


class Int8Network:
    """The float network of `inputs` (batch norm folded), with the ranges of its `images`."""

    def __init__(self, inputs: Inputs, images: Array) -> None:
        self.graph, self.parameters = inputs.graph, inputs.parameters
        self.ranges = {INPUT: Range(1 / 255, 0)}

        def look(name: str, x: Array) -> Array:
            self.ranges[name] = Range.of(x)
            return x

        self.graph.run(self.parameters, self.graph.to_float(images), hook=look)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The operations with their ReLUs folded in."""
        relus = {n.inputs[0]: n.name for n in self.graph.nodes if n.op == "relu"}
        found = []
        for node in self.graph.nodes:
            if node.op != "relu":
                output = relus.get(node.name, node.name)
                found.append(Step(node, tuple(node.inputs), output, node.name in relus))
        return tuple(found)

    def weight(self, name: str) -> tuple[Array, Array]:
        """Codes int8 (O, ...) and the scale of each output channel, float32 (O,)."""
        weight = self.parameters[f"{name}.weight"]
        scale = abs(weight).reshape(len(weight), -1).max(axis=1) / 127
        codes = np.rint(weight / scale.reshape(-1, *(1,) * (weight.ndim - 1)))
        return codes.astype(np.int8), scale.astype(np.float32)

    def bias(self, step: Step) -> tuple[Array, Array]:
        """Codes int32 (O,) and their scales: those of an accumulator."""
        unit = self.weight(step.node.name)[1] * np.float32(self.ranges[step.inputs[0]].scale)
        return np.rint(self.parameters[f"{step.node.name}.bias"] / unit).astype(np.int32), unit
