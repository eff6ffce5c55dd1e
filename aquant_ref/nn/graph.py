"""A network as nodes in topological order: it prints itself, runs, and records every tensor.

Tensors are named by the node that makes them; the input is `INPUT`. Parameters are one flat
dictionary, "<node>.<parameter>" -> array, so that the same graph runs with float, folded or
fake-quantized parameters, and a `hook` on the tensors adds quantizers. Named blocks partition the
nodes for reconstruction: `evaluate` runs any run of nodes from given tensors, under autograd too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from aquant_ref.checks import (
    check_images,
    check_names,
    check_real_images,
    float_dtype,
    instance,
    integer,
    is_array,
    shown,
)
from aquant_ref.errors import InputError, counted, nearest
from aquant_ref.formats.native import check_name
from aquant_ref.integer.geometry import LARGEST_CHANNELS, LARGEST_TENSOR
from aquant_ref.nn.norm import batch_norm_train, batch_statistics
from aquant_ref.nn.operations import OPERATIONS, Node, Shape
from aquant_ref.rows import Row, Tabular
from aquant_ref.typing import Pixels, Reals

Parameters = Mapping[str, Reals]
Hook = Callable[[str, Reals], Reals]
Operate = Callable[..., Reals]
Statistics = dict[str, tuple[Reals, Reals]]

INPUT = "image"
PIXEL_SCALE = 1 / 255  # what one code of the image is worth


def _operate(node: Node, own: Parameters, *inputs: Reals) -> Reals:
    return OPERATIONS[node.op].apply(node, own, *inputs)


@dataclass(frozen=True)
class Block:
    """Consecutive nodes that are reconstructed together.

    `inputs` are the tensors from earlier blocks that it reads, `output` is its last tensor.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    output: str

    @classmethod
    def of(cls, name: str, nodes: Sequence[Node]) -> Block:
        """Return the block of these nodes."""
        made = {node.name for node in nodes}
        read = dict.fromkeys(i for node in nodes for i in node.inputs if i not in made)
        return cls(name, tuple(nodes), tuple(read), nodes[-1].name)


class Graph(Tabular):
    """Nodes in topological order over an input of `input_shape` (channels, height, width).

    `zero` is the code that stands for the real number 0 in each channel of the image, and so the
    code of a padded pixel; all 0 if it is left out (AQ-AFFINE-4). Raises InputError, which names
    the node, for a name used twice, an input that no earlier node makes, shapes that do not fit or
    are too large, or a block whose nodes are not consecutive.
    """

    def __init__(self, input_shape: Shape, nodes: Iterable[Node], zero: Sequence[int] = ()) -> None:
        shape, self.zero = _image(input_shape, zero)
        self.nodes: tuple[Node, ...] = ()
        self.shapes: dict[str, Shape] = {INPUT: shape}
        self.parameter_shapes: dict[str, Shape] = {}
        self._made: dict[str, Node] = {}
        self._readers: dict[str, list[Node]] = {INPUT: []}
        self._ended: set[str] = set()  # blocks that another has followed
        self._parameters: dict[str, dict[str, str]] = {}  # of each node, by their short names
        for node in nodes:
            self.add(node)

    def add(self, node: Node) -> None:
        """Append a node; raises InputError, which names it, as the graph itself does."""
        if node.name in self.shapes:
            raise InputError(f"{node.name}: this name is used twice")
        for name in node.inputs:
            if name not in self.shapes:
                hint = nearest(name, self.shapes)
                raise InputError(f"{node.name}: reads {name!r}, which no earlier node makes{hint}")
        if node.block in self._ended and node.block:
            raise InputError(f"{node.name}: block {node.block!r}: its nodes are not consecutive")
        operation = OPERATIONS[node.op]
        if operation.reads not in (None, len(node.inputs)):
            raise InputError(f"{node.name}: reads {counted(len(node.inputs), 'tensor')}")
        shapes = [self.shapes[name] for name in node.inputs]
        for shape in shapes:
            if operation.axes not in (None, len(shape)):
                raise InputError(f"{node.name}: {node.op} cannot read a tensor of shape {shape}")
        made = operation.shape(node, *shapes)
        parameters = operation.parameters(node, shapes[0])
        _check_size(node, "makes a tensor", made)
        for name, shape in parameters.items():
            _check_size(node, f"has a {name}", shape)
        if self.nodes and self.nodes[-1].block != node.block:
            self._ended.add(self.nodes[-1].block)
        self.nodes += (node,)
        self.shapes[node.name], self._made[node.name] = made, node
        self._readers[node.name] = []
        for name in dict.fromkeys(node.inputs):
            self._readers[name].append(node)
        self._parameters[node.name] = {name: f"{node.name}.{name}" for name in parameters}
        for name, shape in parameters.items():
            self.parameter_shapes[f"{node.name}.{name}"] = shape

    def to_float(self, codes: Pixels, dtype: Any = np.float32) -> Reals:
        """Return uint8 pixels (N, C, H, W) as the real numbers that are read, (code - zero)/255.

        Raises InputError for images of another dtype or shape, or if there are none.
        """
        check_images(codes, self.shapes[INPUT])
        scale = float_dtype("dtype", dtype).type(PIXEL_SCALE)
        if not any(self.zero):
            return codes * scale
        return (codes - np.array(self.zero, dtype)[:, None, None]) * scale

    @property
    def output(self) -> str:
        """Name of the last tensor; raises InputError where there are no nodes."""
        if not self.nodes:
            raise InputError("graph: there are no nodes")
        return self.nodes[-1].name

    def images_at_once(self) -> int:
        """Return how many images, at most 128, keep its largest tensor below 64 MiB in float64."""
        largest = max(math.prod(shape) for shape in self.shapes.values())
        return max(1, min(128, (64 << 20) // (8 * largest)))

    def node(self, name: str) -> Node:
        """Return the node that makes tensor `name`; raises KeyError."""
        return self._made[name]

    def consumers(self, name: str) -> tuple[Node, ...]:
        """Return the nodes that read tensor `name`."""
        return tuple(self._readers[name])

    def needed(self, name: str, given: Container[str]) -> tuple[Node, ...]:
        """Return the nodes, in order, that make tensor `name` from the tensors `given`."""
        wanted, nodes = {name}, []
        for node in reversed(self.nodes):
            if node.name in wanted and node.name not in given:
                nodes.append(node)
                wanted.update(node.inputs)
        return tuple(reversed(nodes))

    def blocks(self) -> tuple[Block, ...]:
        """Return the named blocks in order; consecutive nodes outside of any are one block."""
        runs = [tuple(nodes) for _, nodes in groupby(self.nodes, lambda node: node.block)]
        return tuple(Block.of(nodes[0].block, nodes) for nodes in runs)

    def evaluate(
        self,
        parameters: Parameters,
        tensors: Mapping[str, Reals],
        *,
        nodes: Sequence[Node] | None = None,
        hook: Hook | None = None,
        operate: Operate | None = None,
        statistics: Statistics | None = None,
        forget: bool = False,
    ) -> dict[str, Reals]:
        """Compute all tensors, those given and those made by `nodes` (default: all of them).

        `hook(name, tensor)` replaces each tensor as it is made; `operate(node, own parameters,
        *inputs)` computes a node in another way than `OPERATIONS`. With a `statistics` dictionary,
        batch norm works as in training: it normalises with the batch and records (mean, variance).
        With `forget` a tensor is let go once its last reader has run, which saves memory.
        """
        values = dict(tensors)
        nodes = self.nodes if nodes is None else nodes
        last_reader = {name: node.name for node in nodes for name in node.inputs}
        for node in nodes:
            inputs = [values[name] for name in node.inputs]
            own = self._own_parameters(node, parameters)
            if node.op == "batch_norm" and statistics is not None:
                mean, variance = statistics[node.name] = batch_statistics(inputs[0])
                value = batch_norm_train(
                    inputs[0],
                    own["gamma"],
                    own["beta"],
                    mean=mean,
                    variance=variance,
                    eps=node["eps"],
                )
            else:
                value = (operate or _operate)(node, own, *inputs)
            values[node.name] = value if hook is None else hook(node.name, value)
            if forget:
                for name in set(node.inputs):
                    if last_reader[name] == node.name:
                        del values[name]
        return values

    def run(self, parameters: Parameters, images: Reals, **options: Any) -> Reals:
        """Compute the last tensor for `images` (N, C, H, W) that `to_float` makes; options as in
        `evaluate`. Raises InputError for images of another dtype or shape, or if there are none.
        """
        check_real_images(images, self.shapes[INPUT])
        return self.evaluate(parameters, {INPUT: images}, forget=True, **options)[self.output]

    def _own_parameters(self, node: Node, parameters: Parameters) -> dict[str, Reals]:
        return {short: parameters[name] for short, name in self._parameters[node.name].items()}

    def check_parameters(self, parameters: Parameters) -> None:
        """Raise InputError, which names the parameter, unless all are there, of their shape,
        finite, and no variance is negative.
        """
        instance("parameters", parameters, Mapping)
        check_names("parameter", parameters, self.parameter_shapes)
        for name, shape in self.parameter_shapes.items():
            value = parameters[name]
            if not is_array(value) or value.dtype not in (np.float32, np.float64):
                got = shown(value) if is_array(value) else type(value).__name__
                raise InputError(f"parameter {name!r} is {got}, needs float32 or float64")
            if value.shape != shape:
                raise InputError(f"parameter {name!r} has shape {value.shape}, needs {shape}")
            if not bool((abs(value) < float("inf")).all()):  # false for NaN as well
                raise InputError(f"parameter {name!r} holds NaN or infinity")
            if name.endswith(".variance") and bool((value < 0).any()):
                raise InputError(f"parameter {name!r} is negative")

    def rows(self) -> list[Row]:
        """Return a row a tensor: its name, what makes it, what that reads, its shape and block."""
        image = {"tensor": INPUT, "operation": "", "reads": ""}
        rows = [{**image, "shape": _by(self.shapes[INPUT]), "block": ""}]
        for node in self.nodes:
            details = " ".join(f"{key}={value}" for key, value in node.attributes.items())
            rows.append(
                {
                    "tensor": node.name,
                    "operation": f"{node.op} {details}".strip(),
                    "reads": ", ".join(node.inputs),
                    "shape": _by(self.shapes[node.name]),
                    "block": node.block,
                }
            )
        return rows

    def __str__(self) -> str:
        return self.summary()

    def title(self) -> str:
        """Say how large the graph is."""
        made = _by(self.shapes[self.nodes[-1].name]) if self.nodes else "nothing"
        count = sum(map(math.prod, self.parameter_shapes.values()))
        return (
            f"Graph {_by(self.shapes[INPUT])} to {made}: {counted(len(self.nodes), 'node')}, "
            f"{counted(len(self.blocks()), 'block')}, {counted(count, 'parameter')}"
        )


def _by(shape: Shape) -> str:
    """(3, 8, 8) as 3x8x8."""
    return "x".join(map(str, shape))


def _image(input_shape: Any, zero: Any) -> tuple[Shape, tuple[int, ...]]:
    """Check shape and zero of an image: it has channels, each with a code."""
    if not isinstance(input_shape, tuple | list) or len(input_shape) != 3:
        raise InputError(f"input_shape: needs (C, H, W), got {shown(input_shape)}")
    shape = tuple(integer("input_shape", size, 1) for size in input_shape)
    if math.prod(shape) >= LARGEST_TENSOR or shape[0] > LARGEST_CHANNELS:
        raise InputError(f"input_shape: {shape} is too large")
    if not isinstance(zero, Sequence | np.ndarray):
        raise InputError(f"zero: needs a code for each channel, got {shown(zero)}")
    codes = tuple(integer("zero", code, 0, 255) for code in zero)
    if len(codes) not in (0, shape[0]):
        raise InputError(f"zero: {codes} is not a code for each channel")
    return shape, codes or (0,) * shape[0]


def _check_size(node: Node, what: str, shape: Shape) -> None:
    if math.prod(shape) >= LARGEST_TENSOR:
        raise InputError(f"{node.name}: {what} of shape {shape}, which is too large")
    if shape[0] > LARGEST_CHANNELS:
        raise InputError(
            f"{node.name}: {what} of {shape[0]} channels, more than {LARGEST_CHANNELS}"
        )


class Builder(Tabular):
    """Writes a graph down layer by layer; every method returns the name of its tensor.

    >>> build = Builder((3, 8, 8))
    >>> with build.block("stem"):
    ...     x = build("conv", "conv2d", INPUT, channels=4, kernel=3, padding=1)
    ...     x = build("relu", "relu", x)
    >>> print(build.graph())
    tensor     operation                             reads      shape  block
    image                                                       3x8x8
    stem.conv  conv2d channels=4 kernel=3 padding=1  image      4x8x8  stem
    stem.relu  relu                                  stem.conv  4x8x8  stem
    """

    def __init__(self, input_shape: Shape, zero: Sequence[int] = ()) -> None:
        self._graph = Graph(input_shape, (), zero)
        self._block = ""

    def rows(self) -> list[Row]:
        """Return a row a tensor, as those of the graph so far."""
        return self._graph.rows()

    def title(self) -> str:
        """Say how large the graph is so far."""
        return self._graph.title().replace("Graph", type(self).__name__, 1)

    @contextmanager
    def block(self, name: str) -> Iterator[None]:
        """Nodes made inside belong to block `name` and have its name before their own.

        Raises InputError inside another block.
        """
        check_name(name, "block")
        if self._block:
            raise InputError(f"block {name!r}: is inside of block {self._block!r}")
        self._block = name
        try:
            yield
        finally:
            self._block = ""

    def __call__(self, name: str, op: str, *inputs: str, **attributes: Any) -> str:
        """Append a node; its tensor is called "<block>.<name>", or outside of a block "<name>".

        Raises InputError, which names the node, as `Node` and `Graph` do.
        """
        check_name(name, "node")
        whole = f"{self._block}.{name}" if self._block else name
        node = Node(whole, op, inputs, self._block, attributes)
        self._graph.add(node)
        return node.name

    def graph(self) -> Graph:
        """Return the graph so far; raises InputError where there are no nodes."""
        if not self._graph.nodes:
            raise InputError("graph: there are no nodes")
        shape = self._graph.shapes[INPUT]
        return Graph(shape, self._graph.nodes, self._graph.zero)
