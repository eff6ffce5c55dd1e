"""Wrong steps of a layer, which linear layers and convolutions have."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.arithmetic import F, up
from aquant_ref.conformance.faults.fault import stepwise
from aquant_ref.conformance.faults.rescaling import ratio
from aquant_ref.conformance.faults.steps import RIGHT
from aquant_ref.typing import Array


def wrapped(v: Array, bits: int) -> Array:
    """Two's complement of so many bits."""
    return (v + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def rescaled(rounding: Callable[[F], int]) -> Callable[..., Array]:
    """Another rounding of the number that the variation has."""

    def rescale(total: Array, unit: Array, f: dict[str, Any]) -> Array:
        profile = f.get("profile", "ideal")
        factors = [ratio(profile, F(u) / F(f["scale"])) for u in unit.tolist()]
        rows = zip(total.tolist(), factors, strict=True)
        return np.array([[rounding(v * m) for v in row] for row, m in rows], np.int64)

    return rescale


def int16_pairs(weight: Array, columns: Array) -> Array:
    """Two products at a time, saturated, as pmaddubsw has them."""
    odd = weight.shape[1] % 2
    w, x = np.pad(weight, ((0, 0), (0, odd))), np.pad(columns, ((0, odd), (0, 0)))
    pairs = (w[:, :, None] * x[None]).reshape(len(w), -1, 2, x.shape[1]).sum(axis=2)
    return np.clip(pairs, -(2**15), 2**15 - 1).sum(axis=1)


def by_last_axis(total: Array, unit: Array, f: dict[str, Any]) -> Array:
    """The scales meet the positions."""
    return RIGHT.rescale(total.T, np.resize(unit, total.shape[1]), f).T


def bias_later(q: Array, bias: Array, scale: float) -> Array:
    return q + np.rint(bias / scale).astype(np.int64)[:, None]


def dropped_bias(bias: Array, x_scale: float, weight_scale: Array) -> Array:
    return np.zeros(len(bias), np.int64)


def bfloat16(values: Array) -> Array:
    """The upper half of float32."""
    return (values.astype(np.float32).view(np.int32) & -(1 << 16)).view(np.float32)


def relu_at_zero(steps: Array, zero_point: int, qmin: int, qmax: int) -> Array:
    return np.clip(steps + zero_point, 0 if qmin == zero_point else qmin, qmax)


LAYERS: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    ("half_even", "round.rule", "tie", {"rescale": rescaled(round)}),
    ("floor", "round.rule", "tie", {"rescale": rescaled(math.floor)}),
    ("cast without rounding", "round.cast", "near_tie", {"rescale": rescaled(int)}),
    (
        "1/2 added, then truncated",
        "round.truncation",
        "near_tie",
        {"rescale": rescaled(lambda t: int(t + F(1, 2)))},
    ),
    (
        "rounded to halves first",
        "round.twice",
        "near_tie",
        {"rescale": rescaled(lambda t: up(F(up(16 * t), 16)))},
    ),
    ("no zero point of the input", "zero_point.missing", "random", {"centre": lambda q, z: q}),
    (
        "no zero point of the weights",
        "zero_point.cross_terms",
        "weight_zero",
        {"centre_weight": lambda w, z: w},
    ),
    (
        "the first channel's zero point of the weights",
        "axis.scale",
        "weight_zero",
        {"centre_weight": lambda w, z: w - z[0]},
    ),
    (
        "clipped before the zero point",
        "zero_point.clip",
        "saturation",
        {"clip": lambda s, z, low, high: np.clip(s, low, high) + z},
    ),
    (
        "codes read as int8",
        "zero_point.offset",
        "type_end",
        {"centre": lambda q, z: wrapped(q, 8) - z},
    ),
    ("ReLU at code 0", "clamp.relu", "relu", {"clip": relu_at_zero}),
    (
        "ReLU dropped",
        "clamp.dropped",
        "relu",
        {"clip": lambda s, z, low, high: np.minimum(s + z, high)},
    ),
    (
        "ReLU6 dropped",
        "clamp.dropped",
        "relu6",
        {"clip": lambda s, z, low, high: np.maximum(s + z, low)},
    ),
    (
        "wraps",
        "clamp.wrap",
        "saturation",
        {"clip": lambda s, z, low, high: (s + z - low) % (high - low + 1) + low},
    ),
    (
        "2^bits levels",
        "clamp.levels",
        "saturation",
        {"clip": lambda s, z, low, high: np.clip(s + z, low, high + 1)},
    ),
    (
        "doubled in int32",
        "accumulator.wrap",
        "accumulator_end",
        {"total": lambda acc, bias: wrapped(2 * (acc + bias[:, None]), 32) // 2},
    ),
    (
        "accumulator of 16 bits",
        "accumulator.narrow",
        "type_end",
        {"product": lambda w, x: wrapped(w @ x, 16)},
    ),
    ("pairs saturate in int16", "accumulator.pairs", "type_end", {"product": int16_pairs}),
    (
        "accumulator in float32",
        "round.float32",
        "wide_near_tie",
        {"total": lambda acc, bias: np.float32(acc + bias[:, None]).astype(np.int64)},
    ),
    ("no bias", "bias.order", "channel_scales", {"bias": dropped_bias}),
    (
        "bias after requantization",
        "bias.order",
        "tie",
        {"bias": dropped_bias, "after": bias_later},
    ),
    (
        "bias in units of the first channel",
        "bias.scale",
        "channel_scales",
        {"bias": lambda b, x, w: np.rint(b / (x * w[0])).astype(np.int64)},
    ),
    (
        "bias in bfloat16",
        "bias.floor",
        "tie",
        {"bias": lambda b, x, w: RIGHT.bias(bfloat16(b), x, w)},
    ),
    (
        "bias of 16 bits",
        "bias.overflow",
        "accumulator_end",
        {"bias": lambda b, x, w: np.clip(RIGHT.bias(b, x, w), -(2**15), 2**15 - 1)},
    ),
    (
        "one scale for all channels",
        "axis.scale",
        "channel_scales",
        {"unit": lambda x, w: x * np.full(len(w), w[0])},
    ),
    (
        "scales of the neighbouring channel",
        "axis.scale",
        "channel_scales",
        {"unit": lambda x, w: x * np.roll(w, 1)},
    ),
    ("scales on the last axis", "axis.scale", "channel_scales", {"rescale": by_last_axis}),
]


LINEAR: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    (
        "weight read as (inputs, outputs)",
        "axis.layout",
        "random",
        {"kernel": lambda w: w.reshape(w.shape[::-1]).T},
    ),
]

WRONG = stepwise("linear", [*LAYERS, *LINEAR])
