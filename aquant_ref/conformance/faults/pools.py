"""Wrong steps of pools."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.arithmetic import F, up
from aquant_ref.conformance.faults.convolutions import columns, padded, swapped
from aquant_ref.conformance.faults.fault import stepwise
from aquant_ref.conformance.faults.steps import RIGHT
from aquant_ref.typing import Array


def mean_of(rounding: Callable[[F, F], int]) -> Callable[..., Array]:
    def mean(total: Array, count: Array, f: dict[str, Any]) -> Array:
        ratio = F(f["x_scale"]) / F(f["scale"])
        pairs = zip(total.flat, np.broadcast_to(count, total.shape).flat, strict=True)
        return np.array([rounding(F(int(t), int(n)), ratio) for t, n in pairs]).reshape(total.shape)

    return mean


def by_reciprocal(total: Array, count: Array, f: dict[str, Any]) -> Array:
    """1/count in 12 bits."""
    approximate = mean_of(lambda t, ratio: up(t * ratio))
    reciprocal = 4096 // np.broadcast_to(count, total.shape)
    return approximate(total * reciprocal, np.array(4096), f)


AVG_POOL: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    ("floored", "pool.floor", "tie", {"mean": mean_of(lambda t, r: math.floor(t * r))}),
    ("ties to even", "round.rule", "tie", {"mean": mean_of(lambda t, r: round(t * r))}),
    ("rounded twice", "pool.stored", "near_tie", {"mean": mean_of(lambda t, r: up(up(t) * r))}),
    ("1/count in 12 bits", "pool.reciprocal", "odd_count", {"mean": by_reciprocal}),
    (
        "padding counted",
        "pool.count",
        "padding_does_not_count",
        {"counts": lambda x, f: np.array(math.prod(f["kernel"]))},
    ),
    (
        "padding not counted",
        "pool.count",
        "padding_counts",
        {"counts": lambda x, f: RIGHT.counts(x, {**f, "count_padding": 0})},
    ),
    (
        "padded with code 0",
        "zero_point.padding",
        "padding_counts",
        {"pad": lambda x, zero, padding: RIGHT.pad(x, 0, padding)},
    ),
    (
        "the stride is the kernel",
        "axis.stride",
        "windows_apart",
        {"columns": lambda x, k, s, d: RIGHT.columns(x, k, k, d)},
    ),
]


MAX_POOL: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    ("padded with 0", "pool.padding", "low_codes", {"least": lambda x: 0}),
    ("padded with the largest code", "pool.padding", "padding", {"least": lambda x: x.max()}),
    (
        "strides swapped",
        "axis.stride",
        "windows_apart",
        {"columns": columns(stride=swapped)},
    ),
    (
        "dilation ignored",
        "axis.dilation",
        "windows_apart",
        {"columns": columns(dilation=lambda two: (1, 1))},
    ),
    (
        "paddings of the sides swapped",
        "axis.padding",
        "padding",
        {"pad": padded(lambda top, bottom, left, right: (bottom, top, right, left))},
    ),
]

WRONG = [*stepwise("avg_pool2d", AVG_POOL), *stepwise("max_pool2d", MAX_POOL)]
