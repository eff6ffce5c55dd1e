"""Make cases of `avg_pool` as other engines compute it.

Some engines take the mean of the stored codes: input and output then have one scale and one zero
point. Others add up float32 numbers, in any order; so their sums are exact in float32, or further
from a tie than such a sum can be wrong.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases import avg_pool
from aquant_ref.conformance.cases.avg_pool import COUNTS, columns_of
from aquant_ref.conformance.cases.family import Columns, Family, between

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection

EVEN = tuple(count for count in COUNTS if count % 2 == 0)
MARGIN = 1 / 32  # of a step; a float32 sum of 196 products errs by less, for ratios of at most 4


def _stored(
    draw: Draw,
    selection: Selection,
    counts: tuple[int, ...] = COUNTS,
    *,
    ties: bool = False,
    beside: int = 0,
) -> Columns:
    """Draw one scale and zero point for both sides; with `ties`, half of an odd code."""
    unit = draw.scales(-10, -4)
    columns = columns_of(draw, selection, draw.pick(counts), unit, unit)
    columns["zero_point"] = columns["x_zero"]
    if ties:
        low = between(draw, columns["qmin"], columns["qmax"] - 1)
        count = columns["count"]
        columns["total"] = count * low + count // 2 + beside * draw.pick((-1, 1))
    return columns


def _stored_end(draw: Draw, selection: Selection) -> Columns:
    columns = _stored(draw, selection)
    end = np.where(draw.integers(0, 1), columns["qmin"], columns["qmax"])
    return {**columns, "total": columns["count"] * end}


def _stored_relu(draw: Draw, selection: Selection) -> Columns:
    columns = _stored(draw, selection)
    return {**columns, "qmin": columns["zero_point"]}


def _odd_count(draw: Draw, selection: Selection) -> Columns:
    columns = _stored(draw, selection, (3, 7, 9, 25, 49, 121))
    low = between(draw, columns["qmin"], columns["qmax"] - 1)
    count = columns["count"]
    return {**columns, "total": count * low + count // 2 + draw.integers(0, 1)}


def _unlike(draw: Draw, selection: Selection) -> Columns:
    columns = _stored(draw, selection)
    return {**columns, "scale": columns["x_scale"] * draw.pick((0.5, 2.0, 1 + 2.0**-23))}


def _no_scale(draw: Draw, selection: Selection) -> Columns:
    columns = _stored(draw, selection)
    bad = draw.pick((1e-46, 2.0**-127, 2.0**127, 1e39, 0.0, -1.0))
    return {**columns, "x_scale": bad, "scale": bad}


def _exact(draw: Draw, selection: Selection, *, beside: int = 0) -> Columns:
    """Round the input's scale to a power of two: every float32 sum is then exact."""
    columns = avg_pool.to_tie(draw, selection, beside)
    ratio = columns["scale"] / columns["x_scale"]
    unit = np.ldexp(1.0, np.frexp(columns["x_scale"])[1] - 1)
    return {**columns, "x_scale": unit, "scale": unit * ratio}


def _clear(draw: Draw, selection: Selection, *, relu: bool = False) -> Columns:
    """Draw any sum whose mean is no tie, and not beside one."""
    columns = columns_of(
        draw, selection, draw.pick(COUNTS), draw.scales(-8, -7), draw.scales(-8, -7)
    )
    count = columns["count"]
    real = (columns["total"] / count - columns["x_zero"]) * columns["x_scale"] / columns["scale"]
    beside = abs(real - np.floor(real) - 0.5) < MARGIN
    columns["total"] = np.where(beside, columns["total"] // count * count, columns["total"])
    columns["scale"] = np.where(beside, columns["x_scale"], columns["scale"])
    return {**columns, "qmin": columns["zero_point"]} if relu else columns


EMPTY = Family("empty", avg_pool.empty, "a mean of nothing", ("input.accepted",), rejects=True)
NO_SCALE = Family(
    "no_scale",
    _no_scale,
    "scales that no normal float32 is, or whose reciprocal is none",
    ("input.accepted",),
    rejects=True,
)
STORED = (
    Family(
        "tie",
        partial(_stored, counts=EVEN, ties=True),
        "the mean of the stored codes is k + 1/2",
        ("round.rule", "pool.floor", "pool.centred"),
    ),
    Family(
        "near_tie",
        partial(_stored, counts=EVEN, ties=True, beside=1),
        "a sum beside such a tie",
        ("pool.reciprocal", "pool.floor", "pool.count"),
    ),
    Family(
        "odd_count",
        _odd_count,
        "counts such as 49, the sums on both sides of half a step",
        ("pool.reciprocal", "pool.floor", "pool.count"),
    ),
    Family(
        "range_end",
        _stored_end,
        "all codes at an end of their range",
        ("clamp.wrap", "accumulator.narrow", "pool.reciprocal", "clamp.levels"),
    ),
    Family("relu", _stored_relu, "qmin is the zero point", ("clamp.relu", "clamp.dropped")),
    Family("random", _stored, "any sum", ("zero_point.missing", "pool.count", "pool.floor")),
    EMPTY,
    Family(
        "unlike",
        _unlike,
        "input and output have two scales",
        ("input.accepted",),
        rejects=True,
    ),
    NO_SCALE,
)
REAL = (
    Family(
        "tie",
        _exact,
        "the mean is k + 1/2 steps exactly, also in float32",
        ("round.rule", "pool.floor", "zero_point.order", "pool.stored"),
    ),
    Family(
        "near_tie",
        partial(_exact, beside=1),
        "a sum beside such a tie",
        ("pool.reciprocal", "pool.floor", "pool.count"),
    ),
    Family(
        "relu",
        partial(_clear, relu=True),
        "qmin is the zero point",
        ("clamp.relu", "clamp.dropped"),
    ),
    Family(
        "random",
        _clear,
        "any sum that is not beside a tie, unequal scales, odd zero points",
        ("zero_point.missing", "add.one_scale", "pool.count", "pool.stored"),
    ),
    EMPTY,
    NO_SCALE,
)
FAMILIES: dict[str, tuple[Family, ...]] = {
    **dict.fromkeys(("tflite", "torch", "qnnpack"), STORED),
    **dict.fromkeys(("onnx", "onnxruntime"), REAL),
}
