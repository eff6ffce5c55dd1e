"""Wrong steps of layers that the diagnosis alone knows: siblings of those that the vectors find.

Those with a parameter are made for the numbers that wrong answers allow: see `parameters`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.arithmetic import F, once
from aquant_ref.conformance.faults.fault import stepwise
from aquant_ref.conformance.faults.layers import LAYERS, dropped_bias, wrapped
from aquant_ref.conformance.faults.sizes import PRODUCTS
from aquant_ref.conformance.faults.steps import RIGHT
from aquant_ref.typing import Array

Row = tuple[str, str, str, dict[str, Callable[..., Any]]]


def in_type(to: type[np.floating[Any]], rounding: Callable[[Array], Array]) -> Callable[..., Array]:
    """The product of two numbers of this type, rounded to it, then to an integer."""

    def rescale(total: Array, unit: Array, f: dict[str, Any]) -> Array:
        nearest = once if to is np.float32 else float
        ratios = np.array([nearest(F(u) / F(f["scale"])) for u in unit.tolist()], to)
        with np.errstate(all="ignore"):
            return rounding(total.astype(to) * ratios[:, None]).astype(np.int64)

    return rescale


def zero_first(rounding: Callable[[Array], Array]) -> Callable[..., Array]:
    """The zero point is added in float32, then the sum is rounded."""

    def rescale(total: Array, unit: Array, f: dict[str, Any]) -> Array:
        zero = f["zero_point"]
        added = in_type(np.float32, lambda t: rounding(t + np.float32(zero)))
        return added(total, unit, f) - zero

    return rescale


def ties_up(t: Array) -> Array:
    whole = np.floor(t)
    return np.asarray(whole + (t - whole >= 0.5))


def ties_away(t: Array) -> Array:
    return np.asarray(np.copysign(ties_up(abs(t)), t))


def half_added(last: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The sum with 1/2 is rounded, too."""
    return lambda t: last(t + t.dtype.type(0.5))


def bias_later(total: Array, unit: Array, f: dict[str, Any]) -> Array:
    """The bias is rounded to steps of the result, and added to these."""
    steps = np.rint(f["bias"] / f["scale"]).astype(np.int64)
    return np.asarray(RIGHT.rescale(total, unit, f) + steps[:, None])


def of_channels(which: Callable[[int], Array]) -> dict[str, Callable[..., Any]]:
    """The scales of other channels."""
    return {"unit": lambda x, w: x * w[which(len(w))]}


def reals(bias: Array, _x: float, _w: Array) -> Array:
    return np.rint(bias).astype(np.int64)


def in_units(rounding: Callable[[Any], Any]) -> Callable[..., Array]:
    return lambda bias, x, w: rounding(bias / (x * w)).astype(np.int64)


def bias_in(bits: int) -> Callable[..., Array]:
    return lambda bias, x, w: wrapped(RIGHT.bias(bias, x, w), bits)


FLOATS: dict[str, type[np.floating[Any]]] = {"float32": np.float32, "float64": np.float64}
ROUNDED: dict[str, Callable[[Array], Array]] = {
    "ties up": ties_up,
    "ties to even": np.rint,
    "ties away from zero": ties_away,
    "truncated": np.trunc,
    "floored": np.floor,
}
VARIATIONS = {("float32", "ties to even"), ("float64", "ties away from zero")}
RESCALED: list[Row] = [
    *(
        (f"in {name}, {how}", "round.rule", "", {"rescale": in_type(to, rounding)})
        for name, to in FLOATS.items()
        for how, rounding in ROUNDED.items()
        if (name, how) not in VARIATIONS
    ),
    *(
        (
            f"in {name}, 1/2 added there, then {how}",
            "round.float_half",
            "",
            {"rescale": in_type(to, half_added(last))},
        )
        for name, to in FLOATS.items()
        for how, last in (("floored", np.floor), ("truncated", np.trunc))
    ),
    *(
        (
            f"in float32, zero point first, {how}",
            "zero_point.order",
            "",
            {"rescale": zero_first(ROUNDED[how])},
        )
        for how in ("ties up", "ties away from zero", "truncated", "floored")
    ),
]
ENDS: list[Row] = [
    (
        "no zero point of the result",
        "zero_point.missing",
        "",
        {"clip": lambda s, z, low, high: np.clip(s, low, high)},
    ),
    (
        "the zero point of the result subtracted",
        "zero_point.missing",
        "",
        {"clip": lambda s, z, low, high: np.clip(s - z, low, high)},
    ),
    ("not clipped", "clamp.dropped", "", {"clip": lambda s, z, low, high: s + z}),
    *(
        (
            f"wraps in {'u' * (not signed)}int8, then clipped",
            "clamp.wrap",
            "",
            {
                "clip": lambda s, z, low, high, k=128 * signed: np.clip(
                    (s + z + k) % 256 - k, low, high
                )
            },
        )
        for signed in (True, False)
    ),
    (
        "ReLU at code 0, whatever the lower bound",
        "clamp.relu",
        "",
        {"clip": lambda s, z, low, high: np.clip(s + z, max(low, 0), high)},
    ),
    (
        "bias added to the rounded result",
        "bias.order",
        "",
        {"bias": dropped_bias, "rescale": bias_later},
    ),
    ("bias floored", "bias.floor", "", {"bias": in_units(np.floor)}),
    ("bias truncated", "bias.floor", "", {"bias": in_units(np.trunc)}),
    ("bias without a scale", "bias.scale", "", {"bias": reals}),
    ("bias wraps in 16 bits", "bias.overflow", "", {"bias": bias_in(16)}),
    ("bias subtracted", "bias.order", "", {"bias": lambda b, x, w: -RIGHT.bias(b, x, w)}),
    ("bias twice", "bias.tile", "", {"bias": lambda b, x, w: 2 * RIGHT.bias(b, x, w)}),
    (
        "the bias of the first channel for all",
        "bias.scale",
        "",
        {"bias": lambda b, x, w: np.full_like(RIGHT.bias(b, x, w), RIGHT.bias(b, x, w)[0])},
    ),
    (
        "scales of the channels in reverse",
        "axis.scale",
        "",
        of_channels(lambda n: np.arange(n)[::-1]),
    ),
    (
        "the last channel's scale for all",
        "axis.scale",
        "",
        of_channels(lambda n: np.full(n, n - 1)),
    ),
]
FRONT: list[Row] = [
    (
        "the zero point of the input subtracted twice",
        "zero_point.missing",
        "",
        {"centre": lambda q, z: q - 2 * z},
    ),
    (
        "the zero point of the input added",
        "zero_point.missing",
        "",
        {"centre": lambda q, z: q + z},
    ),
    ("codes read as uint8", "zero_point.offset", "", {"centre": lambda q, z: q % 256 - z}),
    (
        "the zero point of the weights added",
        "zero_point.missing",
        "",
        {"centre_weight": lambda w, z: w + z.reshape(-1, *(1,) * (w.ndim - 1))},
    ),
    (
        "no zero points in the products",
        "zero_point.missing",
        "",
        {"centre": lambda q, z: q, "centre_weight": lambda w, z: w},
    ),
    ("weights negated", "axis.layout", "", {"kernel": lambda w: -w}),
]
WINDOWS: list[Row] = [
    (
        "the zero point of the input taken for 0",
        "zero_point.missing",
        "",
        {
            "centre": lambda q, z: q,
            "pad": lambda x, zero, padding: RIGHT.pad(x, 0, padding),
        },
    ),
    (
        "no zero points, padded with 0",
        "zero_point.missing",
        "",
        {
            "centre": lambda q, z: q,
            "centre_weight": lambda w, z: w,
            "pad": lambda x, zero, padding: RIGHT.pad(x, 0, padding),
        },
    ),
    (
        "strides and dilations confused",
        "axis.stride",
        "",
        {"columns": lambda x, k, stride, dilation: RIGHT.columns(x, k, dilation, stride)},
    ),
    (
        "strides ignored",
        "axis.stride",
        "",
        {"columns": lambda x, k, stride, d: _cut(RIGHT.columns(x, k, (1, 1), d), x, k, stride, d)},
    ),
    (
        "kernel flipped from left to right",
        "axis.kernel",
        "",
        {"kernel": lambda w: w[..., ::-1]},
    ),
    ("kernel flipped upside down", "axis.kernel", "", {"kernel": lambda w: w[:, :, ::-1]}),
    (
        "kernel transposed",
        "axis.kernel",
        "",
        {"kernel": lambda w: w.swapaxes(2, 3).reshape(w.shape)},
    ),
    (
        "weights read as (H, W, I, O)",
        "axis.layout",
        "",
        {"kernel": lambda w: w.reshape(*w.shape[2:], w.shape[1], w.shape[0]).transpose(3, 2, 0, 1)},
    ),
    (
        "weights read as (O, H, W, I)",
        "axis.layout",
        "",
        {"kernel": lambda w: w.reshape(len(w), *w.shape[2:], w.shape[1]).transpose(0, 3, 1, 2)},
    ),
]


def _cut(every: Array, x: Array, kernel: Any, stride: Any, dilation: Any) -> Array:
    """As many windows as with the stride, but side by side."""
    shape = RIGHT.columns(x, kernel, stride, dilation).shape
    return every[:, :, :, : shape[3], : shape[4]]


def unnamed(rows: list[Row]) -> list[Row]:
    """The same rows for an operation whose vectors need not find them."""
    return [(name, defect, "", steps) for name, defect, _, steps in rows]


EVERYWHERE = [*RESCALED, *ENDS, *FRONT]
WRONG = [
    *stepwise("conv2d", [*EVERYWHERE, *WINDOWS]),
    *stepwise("depthwise", [*unnamed([*LAYERS, *PRODUCTS]), *EVERYWHERE, *WINDOWS]),
    *stepwise("linear", EVERYWHERE),
]
