"""Wrong steps of what has windows: convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aquant_ref.conformance.faults.fault import stepwise
from aquant_ref.conformance.faults.layers import LAYERS
from aquant_ref.conformance.faults.steps import RIGHT
from aquant_ref.typing import Array


def as_nhwc(x: Array) -> Array:
    """The same bytes taken for (H, W, C)."""
    channels, height, width = x.shape
    return x.reshape(height, width, channels).transpose(2, 0, 1)


def columns(**other: Callable[[Any], Any]) -> Callable[..., Array]:
    """With another stride or dilation."""

    def step(x: Array, kernel: Any, stride: Any, dilation: Any) -> Array:
        given = {"stride": stride, "dilation": dilation}
        return RIGHT.columns(x, kernel, **{k: other.get(k, tuple)(v) for k, v in given.items()})

    return step


def swapped(two: Any) -> Any:
    return two[1], two[0]


def first_for_both(two: Any) -> Any:
    return two[0], two[0]


def padded(sides: Callable[..., Any]) -> Callable[..., Array]:
    return lambda x, zero, padding: RIGHT.pad(x, zero, sides(*padding))


def interleaved(matrix: Array, groups: int) -> Array:
    """Channel c in group c mod groups."""
    mixed = matrix.reshape(-1, groups, *matrix.shape[1:]).swapaxes(0, 1)
    return RIGHT.assign(mixed.reshape(matrix.shape), groups)


CONVOLUTIONS: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    (
        "padded with 0",
        "zero_point.padding",
        "image_edge",
        {"pad": lambda x, zero, padding: RIGHT.pad(x, 0, padding)},
    ),
    (
        "kernel flipped",
        "axis.kernel",
        "random",
        {"kernel": lambda w: w[:, :, ::-1, ::-1]},
    ),
    (
        "strides swapped",
        "axis.stride",
        "strides",
        {"columns": columns(stride=swapped)},
    ),
    (
        "one stride",
        "axis.stride",
        "strides",
        {"columns": columns(stride=first_for_both)},
    ),
    (
        "dilation ignored",
        "axis.dilation",
        "dilations",
        {"columns": columns(dilation=lambda two: (1, 1))},
    ),
    (
        "dilations swapped",
        "axis.dilation",
        "dilations",
        {"columns": columns(dilation=swapped)},
    ),
    (
        "paddings of the axes swapped",
        "axis.padding",
        "four_paddings",
        {"pad": padded(lambda top, bottom, left, right: (left, right, top, bottom))},
    ),
    (
        "paddings of the sides swapped",
        "axis.padding",
        "four_paddings",
        {"pad": padded(lambda top, bottom, left, right: (bottom, top, right, left))},
    ),
]


CONV2D: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    (
        "rows in the order kh, kw, channel",
        "axis.columns",
        "random",
        {"kernel": lambda w: w.transpose(0, 2, 3, 1).reshape(w.shape)},
    ),
    (
        "image read as NHWC",
        "axis.layout",
        "random",
        {"pad": lambda x, zero, padding: RIGHT.pad(as_nhwc(x), zero, padding)},
    ),
    ("groups interleaved", "axis.groups", "groups", {"assign": interleaved}),
]

WRONG = [
    *stepwise("conv2d", [*LAYERS, *CONVOLUTIONS, *CONV2D]),
    *stepwise("depthwise", CONVOLUTIONS),
]
