"""Register the operations of graph nodes: output shape, parameter shapes, attributes, function.

A new one has an entry in `OPERATIONS`; `.github/CONTRIBUTING.md` lists where else it is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from aquant_ref.checks import shown
from aquant_ref.errors import InputError, unknown
from aquant_ref.formats.native import check_name
from aquant_ref.nn.attributes import (
    CHANNELS,
    FLAG,
    GROUPS,
    KERNEL,
    PADDING,
    POOL_STRIDE,
    STRIDE,
    Attribute,
    alpha,
    checked,
    eps,
)
from aquant_ref.nn.conv import conv2d, linear
from aquant_ref.nn.elementwise import ALPHA, add, concat, flatten, leaky_relu, mul, relu, relu6
from aquant_ref.nn.norm import EPS, batch_norm
from aquant_ref.nn.pool import avg_pool, global_avg_pool, max_pool, pooling_windows
from aquant_ref.nn.windows import Windows, geometry_of, pair
from aquant_ref.typing import Reals

Shape = tuple[int, ...]

LONGEST_NAME = 200  # characters: the names of arrays in files, and messages, contain it
CEILINGS = {"relu": None, "relu6": 6}  # activations that clip at 0, and their upper end
# What never falls where its one input grows, so that thresholds absorb it. Placement and checks
# read this; thresholds, and ptq/free_scales.py for the bias of zero channels, `slope_below_zero`.
ACTIVATIONS = (*CEILINGS, "leaky_relu")


@dataclass(frozen=True)
class Node:
    """Describe one operation: the tensor `name` is `op` of the tensors `inputs`.

    Its parameters are called "<name>.weight" and so on; `block` names the reconstruction block that
    the node belongs to. Raise InputError, which names the node, for names that are not printable
    ASCII, an unknown op, and attributes that are unknown, missing or invalid.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    block: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name, "node")
        if len(self.name) > LONGEST_NAME:
            raise InputError(f"node {shown(self.name)}: is longer than {LONGEST_NAME} characters")
        if not isinstance(self.op, str) or self.op not in OPERATIONS:
            raise InputError(f"{self.name}: {unknown('operation', self.op, OPERATIONS)}")
        if not isinstance(self.inputs, tuple):
            raise InputError(f"{self.name}: inputs: needs a tuple, got {shown(self.inputs)}")
        for read in self.inputs:
            check_name(read, f"{self.name}: input")
        if self.block != "":
            check_name(self.block, f"{self.name}: block")
        if not isinstance(self.attributes, Mapping):
            raise InputError(f"{self.name}: attributes: needs a mapping of names")
        known = OPERATIONS[self.op].attributes
        object.__setattr__(self, "attributes", checked(self.name, self.op, self.attributes, known))

    def __getitem__(self, attribute: str) -> Any:
        """Return an attribute, or its default."""
        return self.attributes.get(attribute, OPERATIONS[self.op].attributes[attribute].default)


@dataclass(frozen=True)
class Operation:
    """Define an op: `apply(node, parameters, *inputs)` computes it, parameters by short names.

    `shape(node, *input shapes)` and `parameters(node, input shape)` return shapes without the batch
    axis. `reads` is the number of inputs, None for any number; `axes` is their number of axes.
    """

    apply: Callable[..., Reals]
    shape: Callable[..., Shape]
    parameters: Callable[[Node, Shape], dict[str, Shape]] = lambda _node, _shape: {}
    reads: int | None = 1
    axes: int | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


def slope_below_zero(node: Node) -> Fraction:
    """Return what an activation multiplies negative numbers by; 1 for any other node."""
    if node.op == "leaky_relu":
        return Fraction(node["alpha"])
    return Fraction(0 if node.op in CEILINGS else 1)


def windows(node: Node, shape: Shape) -> Windows:
    """Return the windows of a convolution or pool on a tensor of `shape` (C, H, W).

    Spec: AQ-IDEAL-4. Raise InputError, which names the node, if they do not fit.
    """
    try:
        if node.op == "conv2d":
            return Windows.of((1, *shape), node["kernel"], node.attributes)
        if node.op == "global_avg_pool":
            return pooling_windows((1, *shape), (shape[1], shape[2]))
        return pooling_windows((1, *shape), node["kernel"], **geometry_of(node.attributes))
    except ValueError as error:
        raise InputError(f"{node.name}: {error}") from error


def _window_shape(node: Node, shape: Shape, channels: int) -> Shape:
    geometry = windows(node, shape)
    return channels, geometry.out_height, geometry.out_width


def _concat_shape(node: Node, *shapes: Shape) -> Shape:
    if len(shapes) < 2:
        raise InputError(f"{node.name}: needs two or more inputs")
    if len({shape[1:] for shape in shapes}) != 1:
        raise InputError(
            f"{node.name}: shapes {' and '.join(map(str, shapes))} differ beyond their channels"
        )
    return sum(shape[0] for shape in shapes), *shapes[0][1:]


def _same_shape(node: Node, *shapes: Shape) -> Shape:
    if len(set(shapes)) != 1:
        raise InputError(f"{node.name}: shapes {' and '.join(map(str, shapes))} differ")
    return shapes[0]


def _conv_parameters(node: Node, shape: Shape) -> dict[str, Shape]:
    channels, groups = node["channels"], node["groups"]
    for count in (shape[0], channels):
        if count % groups:
            raise InputError(f"{node.name}: {count} channels do not split into {groups} groups")
    weight = (channels, shape[0] // groups, *pair(node["kernel"]))
    return {"weight": weight, **({"bias": weight[:1]} if node["bias"] else {})}


def _linear_parameters(node: Node, shape: Shape) -> dict[str, Shape]:
    return {"weight": (node["channels"], shape[0]), "bias": (node["channels"],)}


def _norm_parameters(_node: Node, shape: Shape) -> dict[str, Shape]:
    return dict.fromkeys(("gamma", "beta", "mean", "variance"), shape[:1])


def _options(node: Node, *names: str) -> dict[str, Any]:
    return {name: node.attributes[name] for name in names if name in node.attributes}


def _conv2d(node: Node, parameters: Mapping[str, Reals], x: Reals) -> Reals:
    options = _options(node, "stride", "padding", "dilation", "groups")
    if "bias" in parameters:
        return conv2d(x, parameters["weight"], parameters["bias"], **options)
    return conv2d(x, parameters["weight"], **options)


def _of_inputs(function: Callable[..., Reals]) -> Callable[..., Reals]:
    """Apply a function that needs neither the node nor parameters."""
    return lambda _node, _parameters, *inputs: function(*inputs)


PLACES = {"padding": PADDING, "dilation": STRIDE}  # of windows, without their stride
POOL = {"kernel": KERNEL, "stride": POOL_STRIDE, **PLACES}

OPERATIONS: dict[str, Operation] = {
    "conv2d": Operation(
        _conv2d,
        lambda node, shape: _window_shape(node, shape, node["channels"]),
        _conv_parameters,
        axes=3,
        attributes={
            "channels": CHANNELS,
            "kernel": KERNEL,
            "stride": STRIDE,
            **PLACES,
            "groups": GROUPS,
            "bias": FLAG,
        },
    ),
    "linear": Operation(
        lambda _node, parameters, x: linear(x, parameters["weight"], parameters["bias"]),
        lambda node, _shape: (node["channels"],),
        _linear_parameters,
        axes=1,
        attributes={"channels": CHANNELS},
    ),
    "batch_norm": Operation(
        lambda node, parameters, x: batch_norm(
            x,
            parameters["gamma"],
            parameters["beta"],
            mean=parameters["mean"],
            variance=parameters["variance"],
            eps=node["eps"],
        ),
        _same_shape,
        _norm_parameters,
        attributes={"eps": eps(EPS)},
    ),
    "relu": Operation(_of_inputs(relu), _same_shape),
    "relu6": Operation(_of_inputs(relu6), _same_shape),
    "leaky_relu": Operation(
        lambda node, _parameters, x: leaky_relu(x, alpha=node["alpha"]),
        _same_shape,
        attributes={"alpha": alpha(ALPHA)},
    ),
    "add": Operation(_of_inputs(add), _same_shape, reads=2),
    "mul": Operation(_of_inputs(mul), _same_shape, reads=2),
    "avg_pool": Operation(
        lambda node, _parameters, x: avg_pool(
            x, node["kernel"], **_options(node, "stride", "padding", "dilation", "count_padding")
        ),
        lambda node, shape: _window_shape(node, shape, shape[0]),
        axes=3,
        attributes={**POOL, "count_padding": FLAG},
    ),
    "max_pool": Operation(
        lambda node, _parameters, x: max_pool(
            x, node["kernel"], **_options(node, "stride", "padding", "dilation")
        ),
        lambda node, shape: _window_shape(node, shape, shape[0]),
        axes=3,
        attributes=POOL,
    ),
    "global_avg_pool": Operation(
        _of_inputs(global_avg_pool),
        lambda node, shape: _window_shape(node, shape, shape[0]),
        axes=3,
    ),
    "concat": Operation(_of_inputs(concat), _concat_shape, reads=None),
    # The real numbers stay; the quantizer of its tensor gives them other codes.
    "requantize": Operation(_of_inputs(lambda x: x), _same_shape),
    "flatten": Operation(_of_inputs(flatten), lambda _node, shape: (math.prod(shape),)),
}
