"""Wrong accumulators: zero points, windows, and the width of the sum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.convolutions import (
    as_nhwc,
    columns,
    interleaved,
    padded,
    swapped,
)
from aquant_ref.conformance.faults.fault import stepwise
from aquant_ref.conformance.faults.layers import int16_pairs, wrapped
from aquant_ref.conformance.faults.steps import RIGHT

Rows = list[tuple[str, str, str, dict[str, Callable[..., Any]]]]
INT32 = np.iinfo(np.int32)


def saturated(acc: Any) -> Any:
    return np.clip(acc, INT32.min, INT32.max)


def in_float32(weight: Any, matrix: Any) -> Any:
    return (weight.astype(np.float32) @ matrix.astype(np.float32)).astype(np.int64)


SUMS: Rows = [
    ("pairs saturate in int16", "accumulator.pairs", "type_end", {"product": int16_pairs}),
    (
        "accumulator of 16 bits",
        "accumulator.narrow",
        "type_end",
        {"product": lambda w, x: wrapped(w @ x, 16)},
    ),
    (
        "accumulator of 24 bits",
        "accumulator.narrow",
        "wrap",
        {"product": lambda w, x: wrapped(w @ x, 24)},
    ),
    ("the sum saturates", "accumulator.saturated", "wrap", {"narrowed": saturated}),
    ("products summed in float32", "round.float32", "wrap", {"product": in_float32}),
    ("no zero point of the input", "zero_point.missing", "random", {"centre": lambda q, z: q}),
]
CONV: Rows = [
    *SUMS,
    (
        "no zero point of the weights",
        "zero_point.cross_terms",
        "unsigned_weights",
        {"centre_weight": lambda w, z: w},
    ),
    (
        "the first channel's zero point of the weights",
        "axis.scale",
        "unsigned_weights",
        {"centre_weight": lambda w, z: w - z[0]},
    ),
    (
        "padded with 0",
        "zero_point.padding",
        "image_edge",
        {"pad": lambda x, zero, padding: RIGHT.pad(x, 0, padding)},
    ),
    ("kernel flipped", "axis.kernel", "random", {"kernel": lambda w: w[:, :, ::-1, ::-1]}),
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
    ("strides swapped", "axis.stride", "windows", {"columns": columns(stride=swapped)}),
    (
        "dilation ignored",
        "axis.dilation",
        "windows",
        {"columns": columns(dilation=lambda two: (1, 1))},
    ),
    (
        "paddings of the sides swapped",
        "axis.padding",
        "windows",
        {"pad": padded(lambda top, bottom, left, right: (bottom, top, right, left))},
    ),
    ("groups interleaved", "axis.groups", "groups", {"assign": interleaved}),
]
MATMUL: Rows = [
    *SUMS,
    (
        "no zero points of the columns",
        "zero_point.cross_terms",
        "unsigned_b",
        {"centre_weight": lambda w, z: w},
    ),
    (
        "the first column's zero point",
        "axis.scale",
        "unsigned_b",
        {"centre_weight": lambda w, z: w - z[0]},
    ),
    (
        "the first row's zero point",
        "axis.scale",
        "square",
        {"zeros_of_rows": lambda a, b: np.full(len(a), a[0])},
    ),
    (
        "zero points of rows and columns swapped",
        "axis.scale",
        "square",
        {"zeros_of_rows": lambda a, b: np.resize(b, len(a))},
    ),
    ("b transposed", "axis.layout", "square", {"kernel": lambda b: b.T.reshape(b.shape)}),
]

WRONG = [*stepwise("conv_integer", CONV), *stepwise("matmul_integer", MATMUL)]
