"""Wrong steps of thresholds and of convolutions with borders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.convolutions import interleaved
from aquant_ref.conformance.faults.fault import stepwise
from aquant_ref.conformance.faults.layers import wrapped
from aquant_ref.conformance.faults.steps import RIGHT
from aquant_ref.typing import Array


def counted(prepare: Callable[[Array], Array]) -> Callable[..., Array]:
    """With other thresholds."""
    return lambda values, rows: RIGHT.reached(values, prepare(rows))


def once(values: Array, rows: Array) -> Array:
    """A set of thresholds for each channel."""
    return np.stack(
        [RIGHT.reached(v, np.unique(r)[None]) for v, r in zip(values, rows, strict=True)]
    )


def on_last_axis(values: Array, rows: Array) -> Array:
    """The thresholds of channel c meet column c."""
    turned = np.resize(rows, (values.shape[2], rows.shape[1]))
    return RIGHT.reached(values.transpose(2, 0, 1), turned).transpose(1, 2, 0)


THRESHOLDS: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    ("> for >=", "border.strict", "at_threshold", {"reached": counted(lambda r: r + 1)}),
    (
        "the first channel's thresholds",
        "border.channel",
        "random",
        {"reached": counted(lambda r: np.repeat(r[:1], len(r), axis=0))},
    ),
    ("thresholds on the last axis", "border.channel", "random", {"reached": on_last_axis}),
    (
        "thresholds of 32 bits",
        "threshold.never",
        "never",
        {"reached": counted(lambda r: wrapped(r, 32))},
    ),
    ("equal thresholds once", "threshold.equal", "equal_thresholds", {"reached": once}),
    (
        "compared in float32",
        "round.float32",
        "below_threshold",
        {"reached": lambda v, r: RIGHT.reached(v.astype(np.float32), r.astype(np.float32))},
    ),
    (
        "codes from 0 on",
        "zero_point.offset",
        "random",
        {"thresholds": lambda *, acc, thresholds, least: RIGHT.reached(acc, thresholds)},
    ),
]


BORDERED: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    (
        "> for >=",
        "border.strict",
        "at_crossing",
        {"reached": lambda v, r: RIGHT.reached(v, np.nextafter(r, np.inf))},
    ),
    (
        "no border: nearest",
        "border.half",
        "random",
        {"reached": counted(lambda r: np.ceil(r) - 0.5)},
    ),
    (
        "nearest with half_even",
        "round.rule",
        "nearest",
        {"steps": lambda real, f: RIGHT.steps(real, f) - 1e-9},
    ),
    (
        "borders of the first channel",
        "border.channel",
        "channels",
        {"reached": counted(lambda r: np.repeat(r[:1], len(r), axis=0))},
    ),
    (
        "borders in 1/8",
        "border.coefficients",
        "at_crossing",
        {"reached": counted(lambda r: np.ceil(r * 8) / 8)},
    ),
    (
        "evaluated on x, not on x/s",
        "border.argument",
        "channels",
        {"steps": lambda real, f: real},
    ),
    (
        "1 - border",
        "border.half",
        "channels",
        {"reached": counted(lambda r: 2 * np.ceil(r) - 1 - r)},
    ),
    ("ReLU dropped", "clamp.relu", "relu", {"relu": lambda real, f: real}),
    (
        "padded with 0",
        "zero_point.padding",
        "image_edge",
        {"pad": lambda x, zero, padding: RIGHT.pad(x, 0, padding)},
    ),
]


FUSED: list[tuple[str, str, str, dict[str, Callable[..., Any]]]] = [
    ("> for >=", "border.strict", "at_lift", {"up": lambda lift, total: lift > total}),
    (
        "fused over the channels",
        "border.fusion",
        "below_lift",
        {"fused": lambda shares: shares.sum(axis=0, keepdims=True)},
    ),
    (
        "fused over the whole matrix",
        "border.fusion",
        "at_lift",
        {"fused": lambda shares: shares.sum(axis=(0, 1, 2), keepdims=True)},
    ),
    (
        "not fused",
        "border.fusion",
        "one_row",
        {"fused": lambda shares: shares * 0},
    ),
    (
        "rows in the order kh, kw, channel",
        "border.row",
        "rows",
        {"rows": lambda c: RIGHT.rows(c).reshape(*c.shape[1:3], len(c)).transpose(2, 0, 1)},
    ),
    (
        "padded with wide code 0",
        "border.padding",
        "image_edge",
        {"wide_zero": lambda f: 0},
    ),
    (
        "padded with the narrow code of zero",
        "border.padding",
        "image_edge",
        {"wide_zero": lambda f: f["zero"]},
    ),
    (
        "lift of 8 bits",
        "border.coefficients",
        "below_lift",
        {"up": lambda lift, total: (lift >> 8) >= (total >> 8)},
    ),
    ("never up", "border.half", "random", {"up": lambda lift, total: lift > 2**30}),
    (
        "narrow zero point forgotten",
        "zero_point.missing",
        "random",
        {"centre": lambda q, z: q},
    ),
    ("groups interleaved", "axis.groups", "groups", {"assign": interleaved}),
]

WRONG = [
    *stepwise("thresholds", THRESHOLDS),
    *stepwise("bordered_conv2d", BORDERED),
    *stepwise("fused_conv2d", FUSED),
]
