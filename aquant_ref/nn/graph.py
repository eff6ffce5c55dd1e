"""A network as nodes in topological order: it prints itself, runs, and records every tensor.

Tensors are named by the node that makes them; the input is `INPUT`. Parameters are one flat
dictionary, "<node>.<parameter>" -> array, so that the same graph runs with float, folded or
fake-quantized parameters, and a `hook` on the tensors adds quantizers. Named blocks partition the
nodes for reconstruction: `evaluate` runs any run of nodes from given tensors, under autograd too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.nn.norm import batch_norm_train, batch_statistics
from aquant_ref.nn.operations import OPERATIONS, Node, Shape

Array = NDArray[Any]
Parameters = Mapping[str, Array]
Hook = Callable[[str, Array], Array]
Operate = Callable[..., Array]
Statistics = dict[str, tuple[Array, Array]]

INPUT = "image"
PIXEL_SCALE = 1 / 255  # what one code of the image is worth


def _operate(node: Node, own: Parameters, *inputs: Array) -> Array:
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


class Graph:
    """Nodes in topological order over an input of `input_shape` (channels, height, width).

    `zero` is the code that stands for the real number 0 in each channel of the image, and so the
    code of a padded pixel; all 0 if it is left out (AQ-AFFINE-4). Raises ValueError, which names
    the node, for a name used twice, an unknown op, an input that no earlier node makes, or shapes
    that do not fit.
    """

    def __init__(self, input_shape: Shape, nodes: Iterable[Node], zero: Sequence[int] = ()) -> None:
        self.nodes = tuple(nodes)
        self.zero = tuple(zero) or (0,) * input_shape[0]
        self.shapes: dict[str, Shape] = {INPUT: tuple(input_shape)}
        self.parameter_shapes: dict[str, Shape] = {}
        for node in self.nodes:
            self._add(node)

    def _add(self, node: Node) -> None:
        if node.name in self.shapes:
            raise ValueError(f"{node.name}: this name is used twice")
        if node.op not in OPERATIONS:
            raise ValueError(f"{node.name}: unknown op {node.op!r}")
        for name in node.inputs:
            if name not in self.shapes:
                raise ValueError(f"{node.name}: reads {name!r}, which no earlier node makes")
        operation = OPERATIONS[node.op]
        if operation.reads not in (None, len(node.inputs)):
            raise ValueError(f"{node.name}: reads {len(node.inputs)} tensors")
        shapes = [self.shapes[name] for name in node.inputs]
        self.shapes[node.name] = operation.shape(node, *shapes)
        for name, shape in operation.parameters(node, shapes[0]).items():
            self.parameter_shapes[f"{node.name}.{name}"] = shape

    def to_float(self, codes: Array, dtype: Any = np.float32) -> Array:
        """uint8 pixels (N, C, H, W) as the real numbers that are read, (code - zero)/255."""
        scale = np.dtype(dtype).type(PIXEL_SCALE)
        if not any(self.zero):
            return codes * scale
        return (codes - np.array(self.zero, dtype)[:, None, None]) * scale

    @property
    def output(self) -> str:
        """Name of the last tensor."""
        return self.nodes[-1].name

    def images_at_once(self) -> int:
        """As many images, 128 at most, as keep its largest tensor below 64 MiB in float64."""
        largest = max(math.prod(shape) for shape in self.shapes.values())
        return max(1, min(128, (64 << 20) // (8 * largest)))

    def node(self, name: str) -> Node:
        """The node that makes tensor `name`; raises KeyError."""
        return {node.name: node for node in self.nodes}[name]

    def consumers(self, name: str) -> tuple[Node, ...]:
        """The nodes that read tensor `name`."""
        return tuple(node for node in self.nodes if name in node.inputs)

    def needed(self, name: str, given: Container[str]) -> tuple[Node, ...]:
        """The nodes, in order, that make tensor `name` from the tensors `given`."""
        wanted, nodes = {name}, []
        for node in reversed(self.nodes):
            if node.name in wanted and node.name not in given:
                nodes.append(node)
                wanted.update(node.inputs)
        return tuple(reversed(nodes))

    def blocks(self) -> tuple[Block, ...]:
        """The named blocks in order; raises ValueError where one is not consecutive."""
        names = list(dict.fromkeys(node.block for node in self.nodes))
        blocks = []
        for name in names:
            nodes = tuple(node for node in self.nodes if node.block == name)
            start = self.nodes.index(nodes[0])
            if self.nodes[start : start + len(nodes)] != nodes:
                raise ValueError(f"block {name!r}: its nodes are not consecutive")
            made = {node.name for node in nodes}
            read = dict.fromkeys(i for node in nodes for i in node.inputs if i not in made)
            blocks.append(Block(name, nodes, tuple(read), nodes[-1].name))
        return tuple(blocks)

    def evaluate(
        self,
        parameters: Parameters,
        tensors: Mapping[str, Array],
        *,
        nodes: Sequence[Node] | None = None,
        hook: Hook | None = None,
        operate: Operate | None = None,
        statistics: Statistics | None = None,
        forget: bool = False,
    ) -> dict[str, Array]:
        """All tensors, those given and those made by `nodes` (default: all of them).

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
                    inputs[0], own["gamma"], own["beta"], mean=mean, variance=variance
                )
            else:
                value = (operate or _operate)(node, own, *inputs)
            values[node.name] = value if hook is None else hook(node.name, value)
            if forget:
                for name in set(node.inputs):
                    if last_reader[name] == node.name:
                        del values[name]
        return values

    def run(self, parameters: Parameters, images: Array, **options: Any) -> Array:
        """The last tensor for `images` (N, C, H, W); options as in `evaluate`."""
        return self.evaluate(parameters, {INPUT: images}, forget=True, **options)[self.output]

    def _own_parameters(self, node: Node, parameters: Parameters) -> dict[str, Array]:
        prefix = node.name + "."
        return {
            name.removeprefix(prefix): parameters[name]
            for name in self.parameter_shapes
            if name.startswith(prefix)
        }

    def check_image(self) -> None:
        """Raise ValueError unless there is a node and the image has channels, each with a zero."""
        shape = self.shapes[INPUT]
        if len(shape) != 3 or not all(type(size) is int and size >= 1 for size in shape):
            raise ValueError(f"{INPUT}: has shape {shape}")
        codes = [zero for zero in self.zero if type(zero) is int and 0 <= zero <= 255]
        if len(codes) != shape[0] or len(self.zero) != shape[0]:
            raise ValueError(f"{INPUT}: its zero {self.zero} is not a code for each channel")
        if not self.nodes:
            raise ValueError("there are no nodes")

    def check_parameters(self, parameters: Parameters) -> None:
        """Raise InputError, which names the parameter, unless all are there, of their shape,
        finite, and no variance is negative.
        """
        for name in sorted(self.parameter_shapes.keys() ^ parameters.keys()):
            raise InputError(
                f"parameter {name!r} is {'unexpected' if name in parameters else 'missing'}"
            )
        for name, shape in self.parameter_shapes.items():
            if parameters[name].shape != shape:
                raise InputError(
                    f"parameter {name!r} has shape {parameters[name].shape}, needs {shape}"
                )
            if parameters[name].dtype.kind != "f":
                raise InputError(
                    f"parameter {name!r} is {parameters[name].dtype}, needs a float dtype"
                )
            if not bool((abs(parameters[name]) < float("inf")).all()):  # false for NaN as well
                raise InputError(f"parameter {name!r} holds NaN or infinity")
            if name.endswith(".variance") and bool((parameters[name] < 0).any()):
                raise InputError(f"parameter {name!r} is negative")

    def __str__(self) -> str:
        """One line a node: name, op with its attributes, what it reads, output shape, block."""
        rows = [("tensor", "operation", "reads", "shape", "block")]
        rows.append((INPUT, "", "", "x".join(map(str, self.shapes[INPUT])), ""))
        for node in self.nodes:
            details = " ".join(f"{key}={value}" for key, value in node.attributes.items())
            shape = "x".join(map(str, self.shapes[node.name]))
            rows.append(
                (
                    node.name,
                    f"{node.op} {details}".strip(),
                    ", ".join(node.inputs),
                    shape,
                    node.block,
                )
            )
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


class Builder:
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
        self._input_shape, self._zero = input_shape, zero
        self._nodes: list[Node] = []
        self._block = ""

    @contextmanager
    def block(self, name: str) -> Any:
        """Nodes made inside belong to block `name` and have its name before their own."""
        self._block = name
        yield
        self._block = ""

    def __call__(self, name: str, op: str, *inputs: str, **attributes: Any) -> str:
        """Append a node; its tensor is called "<block>.<name>"."""
        node = Node(f"{self._block}.{name}", op, inputs, self._block, attributes)
        self._nodes.append(node)
        return node.name

    def graph(self) -> Graph:
        """The graph so far."""
        return Graph(self._input_shape, self._nodes, self._zero)
