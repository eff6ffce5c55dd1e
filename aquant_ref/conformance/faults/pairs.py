"""Wrong convolutions that only a pair of features shows: each alone is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.faults.fault import stepwise
from aquant_ref.conformance.faults.layers import wrapped
from aquant_ref.conformance.faults.steps import RIGHT
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.faults.sizes import Row

Layer = dict[str, Any]


def window_sums(layer: Layer, **other: Any) -> Array:
    """The sums of centred codes that the zero points of the weights meet, (O, OH, OW)."""
    changed = {"pad": layer["x_zero"], **layer, **other}
    padded = RIGHT.pad(layer["x"], changed["pad"], layer["padding"])
    columns = RIGHT.columns(
        padded - layer["x_zero"], layer["weight"].shape[2:], changed["stride"], changed["dilation"]
    )
    sums = columns.reshape(layer["groups"], -1, *columns.shape[3:]).sum(axis=1)
    return sums.repeat(len(layer["weight"]) // layer["groups"], axis=0)


def cross_terms(change: Callable[[Layer, Array], Array]) -> Callable[..., Array]:
    """A convolution whose terms of the weights' zero points are changed."""

    def conv2d(**layer: Any) -> Array:
        keys = ("groups", "stride", "padding", "dilation")
        acc = RIGHT.convolution(
            layer["x"], layer["x_zero"], layer["weight"], **{k: layer[k] for k in keys}
        )
        zero = layer["weight_zero"].reshape(-1, 1, 1)
        return RIGHT.finished(acc - zero * change(layer, window_sums(layer)), layer)

    return conv2d


def padding_as_code_0(layer: Layer, _right: Array) -> Array:
    return window_sums(layer, pad=0)


def of_the_first_group(layer: Layer, right: Array) -> Array:
    return np.repeat(right[:1], len(right), axis=0)


def not_dilated(layer: Layer, right: Array) -> Array:
    sums = window_sums(layer, dilation=(1, 1))
    return sums[:, : right.shape[1], : right.shape[2]]


def not_strided(layer: Layer, right: Array) -> Array:
    sums = window_sums(layer, stride=(1, 1))
    return sums[:, : right.shape[1], : right.shape[2]]


def not_centred(layer: Layer, right: Array) -> Array:
    """Sums of codes as stored: right where the zero point of the input is 0."""
    return right + layer["x_zero"] * layer["weight"][0].size


def where(has: Callable[[Layer], bool], change: Callable[[Layer], Layer]) -> Callable[..., Array]:
    """A convolution that takes its fields for others where they have both features."""

    def conv2d(**layer: Any) -> Array:
        return RIGHT.conv2d(**(change(layer) if has(layer) else layer))

    return conv2d


def padded(layer: Layer) -> bool:
    return any(layer["padding"])


def strided(layer: Layer) -> bool:
    return max(layer["stride"]) > 1


def dilated(layer: Layer) -> bool:
    return max(layer["dilation"]) > 1


def grouped(layer: Layer) -> bool:
    return bool(layer["groups"] > 1)


def rectified(layer: Layer) -> bool:
    return bool(layer["qmin"] == layer["zero_point"])


def shifted(layer: Layer) -> Layer:
    """The padding on the other side."""
    top, bottom, left, right = layer["padding"]
    return {**layer, "padding": (bottom, top, right, left)}


def least_code(layer: Layer) -> Layer:
    low = -(1 << 7) if layer["qmax"] < 128 else 0
    return {**layer, "qmin": low}


CROSS_TERMS: list[Row] = [
    (
        f"weight zero points with {name}",
        "zero_point.cross_terms",
        "pairs",
        {"conv2d": cross_terms(how)},
    )
    for name, how in (
        ("padding counted as code 0", padding_as_code_0),
        ("sums of windows that are not dilated", not_dilated),
        ("sums of windows one apart in spite of strides", not_strided),
        ("sums of codes that are not centred", not_centred),
    )
]
CROSS_SUMS: list[Row] = [
    (
        "sums of codes in int16",
        "zero_point.cross_terms",
        "zero_sums",
        {"conv2d": cross_terms(lambda _layer, right: wrapped(right, 16))},
    )
]
OF_GROUPS: list[Row] = [
    (
        "weight zero points with the sums of the first group",
        "axis.groups",
        "pairs",
        {"conv2d": cross_terms(of_the_first_group)},
    ),
    (
        "channels of groups reversed with dilation",
        "axis.groups",
        "pairs",
        {"conv2d": where(lambda f: grouped(f) and dilated(f), lambda f: {**f, "x": f["x"][::-1]})},
    ),
]
FEATURES: list[Row] = [
    (
        "padding on the other side with strides",
        "axis.padding",
        "pairs",
        {"conv2d": where(lambda f: padded(f) and strided(f), shifted)},
    ),
    (
        "ReLU dropped where there is no bias",
        "clamp.relu",
        "pairs",
        {"conv2d": where(lambda f: rectified(f) and not f["bias"].any(), least_code)},
    ),
    (
        "zero point of the input dropped where weights have one",
        "zero_point.missing",
        "pairs",
        {
            "conv2d": where(
                lambda f: bool(f["weight_zero"].any()), lambda f: {**f, "x_zero": f["x_zero"] * 0}
            )
        },
    ),
]

WRONG = [
    *stepwise("conv2d", [*CROSS_TERMS, *CROSS_SUMS, *OF_GROUPS, *FEATURES], "exact"),
    *stepwise("depthwise", [*CROSS_TERMS, *FEATURES], "exact"),
]
