"""Make cases of `avg_pool`: the mean of `count` codes whose sum is `total`, one rounding."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import (
    Columns,
    Family,
    between,
    code_ranges,
    odd_zero_point,
)
from aquant_ref.conformance.cases.parting import misjudged
from aquant_ref.conformance.cases.rescale_codes import tied
from aquant_ref.typing import Integers, Reals

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection

COUNTS = (1, 2, 3, 4, 6, 9, 16, 25, 49, 64, 196)


def columns_of(
    draw: Draw, selection: Selection, count: Integers, x_scale: Reals, scale: Reals
) -> Columns:
    """Draw any sum of `count` codes."""
    qmin, qmax = code_ranges(draw, selection)
    return {
        "total": draw.integers(count * qmin, count * qmax),
        "count": count,
        "x_scale": x_scale,
        "x_zero": odd_zero_point(draw, qmin, qmax),
        "scale": scale,
        "zero_point": odd_zero_point(draw, qmin, qmax),
        "qmin": qmin,
        "qmax": qmax,
    }


def to_tie(draw: Draw, selection: Selection, beside: int) -> Columns:
    """Make the output's step 2k times the input's, and the centred sum count*k*(2y + 1)."""
    count, k = draw.pick(COUNTS), draw.integers(0, 2) * 2 + 1
    unit = draw.scales(-10, -4)
    columns = columns_of(draw, selection, count, unit, 2 * k * unit)
    centre = count * columns["x_zero"]
    step = count * k
    tie = step * (2 * ((columns["total"] - centre) // (2 * step)) + 1)
    total = tie + centre + beside * draw.pick((-1, 1))
    ends = count * columns["qmin"], count * columns["qmax"]
    return {**columns, "total": np.clip(total, *ends)}


def _ties(draw: Draw, selection: Selection) -> Columns:
    return to_tie(draw, selection, 0)


def _near_ties(draw: Draw, selection: Selection) -> Columns:
    return to_tie(draw, selection, 1)


def _ties_of_parts(draw: Draw, selection: Selection) -> Columns:
    """Draw ties whose mean is no whole number of the input's steps, where the count is not 1."""
    count, unit = draw.pick(COUNTS), draw.scales(-10, -4)
    columns = columns_of(draw, selection, count, unit, unit)
    centre = count * columns["x_zero"]
    steps = columns["total"] - centre
    steps = np.where(steps == 0, -1, steps)  # an odd zero point is above the lowest code
    columns, x_scale, scale = tied(draw, {**columns, "total": steps + centre}, steps)
    return {**columns, "x_scale": x_scale * count, "scale": scale}


def _exact(columns: Columns) -> Reals:
    """Return steps of the result; those of a tie of `_ties_of_parts` are exact."""
    centred = columns["total"] - columns["count"] * columns["x_zero"]
    return np.asarray(centred * columns["x_scale"] / (columns["count"] * columns["scale"]))


def _mean_first(columns: Columns) -> Reals:
    mean = columns["total"] / columns["count"] - columns["x_zero"]
    return np.asarray(columns["x_scale"] * mean / columns["scale"])


def _near_half(draw: Draw, selection: Selection) -> Columns:
    """Draw sums on both sides of count*(y + 1/2); with an odd count no mean is a tie."""
    count = draw.pick((3, 7, 9, 25, 49, 49, 121))
    unit = draw.scales(-10, -4)
    columns = columns_of(draw, selection, count, unit, unit)
    low = between(draw, columns["qmin"], columns["qmax"] - 1)
    return {**columns, "total": count * low + count // 2 + draw.integers(0, 1)}


def _range_ends(draw: Draw, selection: Selection) -> Columns:
    unit = draw.scales(-10, -4)
    columns = columns_of(draw, selection, draw.pick(COUNTS), unit, unit)
    end = np.where(draw.integers(0, 1), columns["qmin"], columns["qmax"])
    return {**columns, "total": columns["count"] * end}


def _relu(draw: Draw, selection: Selection) -> Columns:
    unit = draw.scales(-10, -4)
    columns = columns_of(draw, selection, draw.pick(COUNTS), unit, unit)
    return {**columns, "qmin": columns["zero_point"]}


def _random(draw: Draw, selection: Selection) -> Columns:
    return columns_of(
        draw, selection, draw.pick(COUNTS), draw.scales(-10, -6), draw.scales(-10, -6)
    )


def empty(draw: Draw, selection: Selection) -> Columns:
    """Draw a mean of nothing."""
    unit = draw.scales()
    return columns_of(draw, selection, draw.pick((0,)), unit, unit)


def _close_ties(draw: Draw, selection: Selection) -> Columns:
    """Choose a scale so that the mean is less than 2^-26 of itself above or below a tie."""
    count, unit = draw.pick(COUNTS), draw.scales(-10, -4)
    columns = columns_of(draw, selection, count, unit, unit)
    qmin, qmax = columns["qmin"], columns["qmax"]
    low = between(draw, qmin, qmax - 1) - columns["zero_point"]
    up = low >= 0
    columns["x_zero"] = np.where(up, qmin, qmax)
    steps = np.where(up, 1, -1) * between(draw, count, count * (qmax - qmin))
    tie, scale = low + 0.5, unit
    for _ in range(16):
        x = draw.scales(-10, -4)
        other = (steps * x / (count * tie)).astype(np.float32).astype(np.float64)
        away = abs(steps * x / (count * other) / tie - 1)
        better = (away > 2.0**-40) & (away < 2.0**-26)
        unit, scale = np.where(better, x, unit), np.where(better, other, scale)
    columns |= {"x_scale": unit, "scale": scale}
    return {**columns, "total": steps + count * columns["x_zero"]}


def _large_sums(draw: Draw, selection: Selection) -> Columns:
    """Draw so many pixels that their sum, half a step beside a tie, is no float32."""
    qmin, qmax = code_ranges(draw, selection)
    count = (2**26 // (qmax - qmin + 1) + draw.integers(0, 2**10)) | 1
    unit = draw.scales(-10, -4)
    low = between(draw, (qmax - qmin) // 2, qmax - qmin - 1)
    half = (count * (2 * low + 1) + draw.pick((-1, 1))) // 2
    return {
        "total": half + count * qmin,
        "count": count,
        "x_scale": unit,
        "x_zero": qmin,
        "scale": unit,
        "zero_point": qmin,
        "qmin": qmin,
        "qmax": qmax,
    }


FAMILIES = (
    Family(
        "tie",
        _ties,
        "the mean is k + 1/2 steps exactly",
        ("round.rule", "pool.floor", "zero_point.order", "pool.count"),
    ),
    Family(
        "near_tie",
        _near_ties,
        "a sum beside such a tie",
        ("pool.reciprocal", "pool.floor", "round.twice", "pool.count"),
    ),
    Family(
        "odd_count",
        _near_half,
        "counts such as 49, the sums on both sides of half a step",
        ("pool.reciprocal", "pool.floor", "round.twice", "pool.count"),
    ),
    Family(
        "range_end",
        _range_ends,
        "all codes at an end of their range",
        ("clamp.wrap", "accumulator.narrow", "zero_point.clip", "pool.reciprocal", "clamp.levels"),
    ),
    Family("relu", _relu, "qmin is the zero point", ("clamp.relu", "clamp.dropped")),
    Family(
        "random",
        _random,
        "any sum, unequal scales, odd zero points",
        ("zero_point.missing", "add.one_scale", "pool.count", "zero_point.offset"),
    ),
    Family("empty", empty, "a mean of nothing", ("input.accepted",), rejects=True),
    Family(
        "close_tie",
        _close_ties,
        "closer to a tie than float32 tells, where such scales are near",
        ("round.float32",),
        edition=2,
    ),
    Family(
        "large_sum",
        _large_sums,
        "sums beyond 2^24, beside ties",
        ("round.float32",),
        edition=2,
    ),
    Family(
        "misjudged_tie",
        partial(misjudged, ties=_ties_of_parts, in_float64=_mean_first, right=_exact),
        "a tie, which the mean in float64 misses when the zero point is subtracted",
        ("round.float64",),
        edition=3,
    ),
)
