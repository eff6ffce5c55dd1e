"""Random graphs of all operations, and random quantized models on them, made to be hard.

Everything is drawn from a seed: shapes down to one pixel, paddings of four sides, dilation, strides
beyond the kernel, depthwise and grouped convolutions, concats of codes and of sums, 1 to 16 bits,
signed and unsigned codes, odd zero points, unequal scales. In every third model scales are powers
of two and biases whole steps, so that what is rounded is often exactly half way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil, gcd, log2
from typing import Any

import numpy as np

from aquant_ref.engine import Program
from aquant_ref.engine.operations import QUANTIZES
from aquant_ref.errors import AccumulatorOverflow
from aquant_ref.lowering import lower
from aquant_ref.model.quantized_model import QuantizedModel, stored_as
from aquant_ref.nn.graph import INPUT, Graph
from aquant_ref.nn.operations import Node
from aquant_ref.ptq.network import LearnedNetwork, LearnedTensor
from aquant_ref.ptq.placement import layers, quantized_tensors
from aquant_ref.ptq.snap import snap
from tests.engine.networks import draw_layers

Name = str


class Writer:
    """Writes random nodes; what does not fit its shapes is not written."""

    def __init__(self, rng: np.random.Generator, leaky: np.random.Generator | None = None) -> None:
        self.rng, self.leaky = rng, leaky
        self.shape = (self.upto(1, 3), self.upto(1, 5), self.upto(1, 5))
        self.zero = rng.integers(0, 256, self.shape[0]).tolist() if self.chance(0.3) else ()
        self.nodes: list[Node] = []
        self.inside: set[Name] = set()  # what one sum alone reads
        self.graph = Graph(self.shape, (), self.zero)

    def upto(self, least: int, largest: int) -> int:
        return int(self.rng.integers(least, largest + 1))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, values: Any) -> Any:
        return values[self.upto(0, len(values) - 1)]

    def add(self, op: str, *inputs: Name, **attributes: Any) -> Name | None:
        node = Node(f"{op}{len(self.nodes)}", op, inputs, "all", attributes)
        try:
            self.graph = Graph(self.shape, [*self.nodes, node], self.zero)
        except ValueError:
            return None
        self.nodes.append(node)
        return node.name

    def images(self) -> list[Name]:
        """The tensors that have a height and a width, and that any node may read."""
        shapes = self.graph.shapes
        return [name for name in shapes if len(shapes[name]) == 3 and name not in self.inside]

    def alike(self, name: Name, axes: slice) -> list[Name]:
        """The tensors of the same shape along these axes."""
        shapes = self.graph.shapes
        return [each for each in self.images() if shapes[each][axes] == shapes[name][axes]]

    def places(self) -> dict[str, Any]:
        """Stride, dilation and a padding written in one of the three ways."""
        sides = self.rng.integers(0, 3, (2, 2)).tolist()
        padding = self.pick([self.upto(0, 2), tuple(sides[0]), sides])
        stride, dilation = ((self.upto(1, most), self.upto(1, most)) for most in (3, 2))
        return {"stride": stride, "padding": padding, "dilation": dilation}

    def activation(self, name: Name | None) -> None:
        if name is not None and self.chance(0.7):
            self.activated(self.pick(["relu", "relu6"]), name)

    def activated(self, op: str, name: Name) -> Name | None:
        """An activation, or a leaky ReLU in its place."""
        if self.leaky is None or self.leaky.random() < 0.6:
            return self.add(op, name)
        alpha = self.leaky.choice([0, 1e-40, 0.01, 0.25, self.leaky.random(), 1])
        return self.add("leaky_relu", name, alpha=alpha)

    def convolution(self) -> None:
        read = self.pick(self.images())
        channels = self.graph.shapes[read][0]
        outputs = self.pick([channels, 2 * channels, self.upto(1, 4)])
        groups = self.pick([1, gcd(channels, outputs)])
        kernel = (self.upto(1, 3), self.upto(1, 3))
        made = self.add(
            "conv2d", read, channels=outputs, kernel=kernel, groups=groups, **self.places()
        )
        self.activation(made)

    def residual(self) -> None:
        """An add of a convolution with a stored tensor, with another convolution, or with a sum."""
        read = self.pick(self.images())
        other = self.pick(self.alike(read, slice(1, 3)))
        channels = self.graph.shapes[other][0]
        term = self.add("conv2d", read, channels=channels, kernel=3, padding=1)
        if self.chance(0.3):
            other = self.add("conv2d", other, channels=channels, kernel=1) or other
        total = self.add("add", *self.rng.permutation([str(term), other]).tolist())
        if self.chance(0.3):  # a sum of three, none of them rounded before
            third = self.add("conv2d", read, channels=channels, kernel=1)
            self.inside |= {str(term), str(third), str(total)}
            total = self.add("add", str(total), str(third))
        self.activation(total)

    def add_of_codes(self) -> None:
        one = self.pick(self.images())
        other = self.add("requantize", self.pick(self.alike(one, slice(0, 3))))
        codes = self.add("requantize", one)
        self.activation(self.add("add", str(codes), str(other)))

    def product(self) -> None:
        """A mul of two stored tensors, or of one with itself."""
        one = self.pick(self.images())
        self.activation(self.add("mul", one, self.pick(self.alike(one, slice(0, 3)))))

    def pool(self) -> None:
        read = self.pick(self.images())
        if self.chance(0.2):
            self.add("global_avg_pool", read)
            return
        op = self.pick(["max_pool", "avg_pool", "avg_pool"])
        counted = {"count_padding": self.chance(0.4)} if op == "avg_pool" else {}
        for _ in range(9):  # until no window meets padding alone
            kernel = (self.upto(1, 3), self.upto(1, 3))
            if self.add(op, read, kernel=kernel, **self.places(), **counted):
                return

    def concat(self) -> None:
        read = self.pick(self.images())
        inputs = [self.pick(self.alike(read, slice(1, 3))) for _ in range(self.upto(1, 2))]
        if self.chance(0.4):  # a sum that goes on unrounded
            inputs.append(self.add("conv2d", read, channels=2, kernel=1) or read)
        self.activation(self.add("concat", read, *inputs))

    def requantize(self) -> None:
        self.add("requantize", self.pick(self.images()))

    def finish(self) -> Graph:
        """Everything that nothing reads goes into the logits."""
        loose = [n.name for n in self.nodes if not self.graph.consumers(n.name)] or [INPUT]
        flat = [str(self.add("flatten", name)) for name in loose]
        x = flat[0] if len(flat) == 1 else str(self.add("concat", *flat))
        if self.chance(0.4):
            x = str(self.activated("relu", str(self.add("linear", x, channels=self.upto(1, 4)))))
        self.add("linear", x, channels=self.upto(1, 3))
        return self.graph


def is_sum(program: Program, name: str) -> bool:
    """Whether a tensor is codes or made of them by sums alone: no product of two codes is in it."""
    near = (*QUANTIZES, "mul")
    if name == INPUT:
        return True
    read = (name,) if program.makers[name].op in near else program.sources(name, near)
    return not any(each != INPUT and program.makers[each].op == "mul" for each in read)


def random_graph(rng: np.random.Generator, leaky: np.random.Generator | None = None) -> Graph:
    """A graph of all the operations that fixed point has; `leaky` draws where it has a leaky ReLU.

    From a generator of its own, so that all else is the same with and without.
    """
    while True:
        graph = drawn_graph(rng, leaky)
        if adds_have_one_scale(graph):
            return graph


def adds_have_one_scale(graph: Graph) -> bool:
    """Whether each add has codes alone, or a layer that it alone reads, which can move its scale.

    One of thousands has not, as of seed 347213: a sum, and a layer that other nodes read as well.
    """
    stored = dict.fromkeys(quantized_tensors(graph))

    def moves(term: Name) -> bool:
        return term in layers(graph) and term not in stored

    return all(
        any(map(moves, node.inputs))
        or all(stored_as(graph, stored, term) is not None for term in node.inputs)
        for node in graph.nodes
        if node.op == "add"
    )


def drawn_graph(rng: np.random.Generator, leaky: np.random.Generator | None) -> Graph:
    write = Writer(rng, leaky)
    steps: list[Callable[[], None]] = [
        write.convolution,
        write.convolution,
        write.residual,
        write.pool,
        write.pool,
        write.concat,
        write.requantize,
        write.add_of_codes,
        write.product,
    ]
    for _ in range(write.upto(1, 4)):
        write.pick(steps)()
    return write.finish()


def random_model(seed: int, *, fixed_point: bool = False) -> QuantizedModel:
    """A quantized model on such a graph, of all operations or those that have a fixed point.

    One of thousands, whose sum could leave 2^53, is none.
    """
    rng = np.random.default_rng(seed)
    leaky = None if fixed_point else np.random.default_rng([seed, 1])
    while True:
        model = draw_model(rng, random_graph(rng, leaky), ties=seed % 3 == 0)
        try:
            lower(model)
        except AccumulatorOverflow:  # as of seed 38602
            continue
        return replace(model, source={"seed": seed})


def draw_model(
    rng: np.random.Generator,
    graph: Graph,
    *,
    ties: bool = False,
    bits: int | None = None,
    signed: bool | None = None,
) -> QuantizedModel:
    """Quantizers and weights for `graph`; codes of so many bits, or of any number."""
    tensors = {
        name: _tensor(rng, graph, name, ties, bits, signed) for name in quantized_tensors(graph)
    }
    network = LearnedNetwork(graph, {}, {}, {}, tensors)

    def read_by(layer: Name) -> LearnedTensor:
        source = network.source(graph.node(layer).inputs[0])
        assert source is not None
        return tensors[source]

    def weight_bits(layer: Name) -> int:
        """As many as keep the accumulator inside int32, at most 16."""
        rows = int(np.prod(graph.parameter_shapes[f"{layer}.weight"][1:]))
        room = 30 - read_by(layer).bits - ceil(log2(rows))
        return min(room, int(rng.integers(1, 9 if rng.random() < 0.8 else 17)))

    shared = [name for name in layers(graph) if rng.random() < 0.3]
    network.parameters, network.scales, network.codes = draw_layers(
        rng, graph, weight_bits, shared=[*shared, graph.output], powers_of_two=ties
    )
    if ties:
        for name, scale in network.scales.items():
            unit = scale.scale * read_by(name).scale
            bias = network.parameters[f"{name}.bias"].astype(np.float64)
            network.biases[name] = np.rint(bias / unit) * unit
    return snap(network, {})


def _tensor(
    rng: np.random.Generator,
    graph: Graph,
    name: Name,
    ties: bool,
    bits: int | None,
    signed: bool | None,
) -> LearnedTensor:
    if name == INPUT:
        return LearnedTensor(2.0**-8 if ties else 1 / 255, 8)
    if bits is None:
        most = 17 - (graph.shapes[name][0] - 1).bit_length()  # thresholds: channels times codes
        bits = min(int(rng.integers(1, 9 if rng.random() < 0.9 else 17)), most)
    zero_point = int(rng.integers(0, 2**bits)) if rng.random() < 0.6 else 0
    scale = float(rng.uniform(0.5, 8)) / (2**bits - 1)
    coefficients = None
    if bits <= 4 and not ties and rng.random() < 0.7:
        rows = graph.shapes[name][0] if rng.random() < 0.7 else 1
        coefficients = rng.uniform(-0.3, 0.3, (rows, 3)).astype(np.float32)
    return LearnedTensor(
        2.0 ** round(log2(scale)) if ties else scale,
        bits,
        zero_point,
        coefficients,
        ("sigmoid", "clip")[int(rng.integers(2))],
        bool(rng.integers(2)) if signed is None else signed,
    )
