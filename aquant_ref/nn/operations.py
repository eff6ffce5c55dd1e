"""The operations that a graph node may have: output shape, parameter shapes, and the function to
apply.

A new layer is one entry in `OPERATIONS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from aquant_ref.nn.conv import conv2d, linear
from aquant_ref.nn.elementwise import add, concat, flatten, relu, relu6
from aquant_ref.nn.norm import batch_norm
from aquant_ref.nn.pool import avg_pool, global_avg_pool, max_pool, pooling_windows
from aquant_ref.nn.windows import Windows, geometry_of, pair

Array = NDArray[Any]
Shape = tuple[int, ...]

CEILINGS = {"relu": None, "relu6": 6}  # activations, which clip at 0, and where they end above


@dataclass(frozen=True)
class Node:
    """One operation: the tensor `name` is `op` of the tensors `inputs`.

    Its parameters are called "<name>.weight" and so on; `block` names the reconstruction block that
    the node belongs to.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    block: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """How an op computes: `apply(node, parameters, *inputs)`, with parameters by their short names.

    `shape(node, *input shapes)` and `parameters(node, input shape)` leave the batch axis out;
    `reads` is how many tensors it takes, None for any number.
    """

    apply: Callable[..., Array]
    shape: Callable[..., Shape]
    parameters: Callable[[Node, Shape], dict[str, Shape]] = lambda node, shape: {}
    reads: int | None = 1


def windows(node: Node, shape: Shape) -> Windows:
    """Where the windows of a convolution or pool lie on a tensor of `shape` (C, H, W).

    Spec: AQ-IDEAL-4. Raises ValueError, which names the node, where they do not fit.
    """
    a = node.attributes
    try:
        if node.op == "conv2d":
            return Windows.of((1, *shape), a["kernel"], a)
        if node.op == "global_avg_pool":
            return pooling_windows((1, *shape), (shape[1], shape[2]))
        return pooling_windows((1, *shape), a["kernel"], **geometry_of(a))
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{node.name}: {error}") from error


def _window_shape(node: Node, shape: Shape, channels: int) -> Shape:
    if type(channels) is not int or channels < 1:
        raise ValueError(f"{node.name}: channels cannot be {channels}")
    geometry = windows(node, shape)
    return channels, geometry.out_height, geometry.out_width


def _concat_shape(node: Node, *shapes: Shape) -> Shape:
    if len(shapes) < 2:
        raise ValueError(f"{node.name}: needs two or more inputs to put together")
    if len({shape[1:] for shape in shapes}) != 1:
        raise ValueError(
            f"{node.name}: shapes {' and '.join(map(str, shapes))} differ beyond their channels"
        )
    return sum(shape[0] for shape in shapes), *shapes[0][1:]


def _same_shape(node: Node, *shapes: Shape) -> Shape:
    if len(set(shapes)) != 1:
        raise ValueError(f"{node.name}: shapes {' and '.join(map(str, shapes))} differ")
    return shapes[0]


def _conv_parameters(node: Node, shape: Shape) -> dict[str, Shape]:
    a = node.attributes
    for channels in (shape[0], a["channels"]):
        if channels % a.get("groups", 1):
            raise ValueError(
                f"{node.name}: {channels} channels do not split into {a['groups']} groups"
            )
    weight = (a["channels"], shape[0] // a.get("groups", 1), *pair(a["kernel"]))
    return {"weight": weight, **({"bias": weight[:1]} if a.get("bias", True) else {})}


def _linear_parameters(node: Node, shape: Shape) -> dict[str, Shape]:
    return {
        "weight": (node.attributes["channels"], shape[0]),
        "bias": (node.attributes["channels"],),
    }


def _norm_parameters(node: Node, shape: Shape) -> dict[str, Shape]:
    return dict.fromkeys(("gamma", "beta", "mean", "variance"), shape[:1])


def _options(node: Node, names: Sequence[str]) -> dict[str, Any]:
    return {name: node.attributes[name] for name in names if name in node.attributes}


def _conv2d(node: Node, parameters: Mapping[str, Array], x: Array) -> Array:
    options = _options(node, ("stride", "padding", "dilation", "groups"))
    if "bias" in parameters:
        return conv2d(x, parameters["weight"], parameters["bias"], **options)
    return conv2d(x, parameters["weight"], **options)


OPERATIONS: dict[str, Operation] = {
    "conv2d": Operation(
        _conv2d,
        lambda node, shape: _window_shape(node, shape, node.attributes["channels"]),
        _conv_parameters,
    ),
    "linear": Operation(
        lambda node, parameters, x: linear(x, parameters["weight"], parameters["bias"]),
        lambda node, shape: (node.attributes["channels"],),
        _linear_parameters,
    ),
    "batch_norm": Operation(
        lambda node, parameters, x: batch_norm(
            x,
            parameters["gamma"],
            parameters["beta"],
            mean=parameters["mean"],
            variance=parameters["variance"],
        ),
        _same_shape,
        _norm_parameters,
    ),
    "relu": Operation(lambda node, parameters, x: relu(x), _same_shape),
    "relu6": Operation(lambda node, parameters, x: relu6(x), _same_shape),
    "add": Operation(lambda node, parameters, a, b: add(a, b), _same_shape, reads=2),
    "avg_pool": Operation(
        lambda node, parameters, x: avg_pool(
            x,
            node.attributes["kernel"],
            **_options(node, ("stride", "padding", "dilation", "count_padding")),
        ),
        lambda node, shape: _window_shape(node, shape, shape[0]),
    ),
    "max_pool": Operation(
        lambda node, parameters, x: max_pool(
            x, node.attributes["kernel"], **_options(node, ("stride", "padding", "dilation"))
        ),
        lambda node, shape: _window_shape(node, shape, shape[0]),
    ),
    "global_avg_pool": Operation(
        lambda node, parameters, x: global_avg_pool(x), lambda node, shape: (shape[0], 1, 1)
    ),
    "concat": Operation(
        lambda node, parameters, *inputs: concat(*inputs), _concat_shape, reads=None
    ),
    # the real numbers stay; the quantizer of the tensor, its own, makes other codes of them
    "requantize": Operation(lambda node, parameters, x: x, _same_shape),
    "flatten": Operation(
        lambda node, parameters, x: flatten(x), lambda node, shape: (math.prod(shape),)
    ),
}
