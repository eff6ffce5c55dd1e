"""Make cases of `quantize`: divide, round, add the zero point, clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.conformance.cases.draw import Draw, nudged
from aquant_ref.conformance.cases.family import (
    Columns,
    Family,
    beside_ends,
    between,
    code_ranges,
    odd_zero_point,
    relu6_range,
)
from aquant_ref.typing import Array, Integers, Reals

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.selection import Selection


def columns_of(
    draw: Draw,
    selection: Selection,
    r: ArrayLike,
    scale: Reals,
    zero: Integers,
    ends: list[Integers],
) -> Columns:
    """Complete the columns of a case."""
    return {
        "rounding": draw.pick(selection.rules),
        "r": np.asarray(r, np.float64),
        "scale": scale,
        "zero_point": zero,
        "qmin": ends[0],
        "qmax": ends[1],
    }


def target(draw: Draw, selection: Selection) -> tuple[Array, Array, list[Array]]:
    """Draw the lower of two neighbouring codes, in steps, the zero point and the range."""
    qmin, qmax = code_ranges(draw, selection)
    zero = odd_zero_point(draw, qmin, qmax)
    return between(draw, qmin, qmax - 1) - zero, zero, [qmin, qmax]


def _powers(draw: Draw) -> Array:
    return np.ldexp(1.0, draw.integers(-20, 4))


def ties(draw: Draw, selection: Selection) -> Columns:
    """Draw exact ties."""
    low, zero, ends = target(draw, selection)
    scale = _powers(draw)
    return columns_of(draw, selection, (low + 0.5) * scale, scale, zero, ends)


def _near_ties(draw: Draw, selection: Selection) -> Columns:
    columns = ties(draw, selection)
    return {**columns, "r": nudged(columns["r"], np.inf * draw.pick((-1, 1)))}


def _quotient_ties(draw: Draw, selection: Selection) -> Columns:
    """Pick a float64 number near (k + 1/2)*scale whose quotient is the tie, if there is one."""
    low, zero, ends = target(draw, selection)
    scale = draw.integers(1, 999) / 1000.0
    tie = low + 0.5
    r = tie * scale
    for other in (nudged(r, -np.inf), nudged(r, np.inf)):
        r = np.where((r / scale != tie) & (other / scale == tie), other, r)
    return columns_of(draw, selection, r, scale, zero, ends)


def range_ends(draw: Draw, selection: Selection) -> Columns:
    """Draw codes next to qmin and qmax."""
    qmin, qmax = code_ranges(draw, selection)
    zero = odd_zero_point(draw, qmin, qmax)
    code = beside_ends(draw, qmin, qmax)
    scale = draw.scales()
    r = (code - zero + draw.pick((-0.25, 0.0, 0.25))) * scale
    return columns_of(draw, selection, r, scale, zero, [qmin, qmax])


def _saturated(draw: Draw, selection: Selection) -> Columns:
    _, zero, ends = target(draw, selection)
    scale = draw.scales()
    return columns_of(draw, selection, draw.sized(24) * scale, scale, zero, ends)


def relu(draw: Draw, selection: Selection) -> Columns:
    """Draw numbers for a ReLU, whose qmin is the zero point."""
    low, zero, (_, qmax) = target(draw, selection)
    scale = draw.scales()
    r = (low + draw.pick((0.25, 0.75))) * scale
    return columns_of(draw, selection, r, scale, zero, [zero, qmax])


def relu6(draw: Draw, selection: Selection) -> Columns:
    """Draw numbers for a ReLU6, whose qmax is lower, too."""
    _, zero, (qmin, qmax) = target(draw, selection)
    zero, top = relu6_range(draw, zero, qmin, qmax)
    scale = draw.scales()
    r = (between(draw, top - 1, qmax + 1) - zero + 0.25) * scale
    return columns_of(draw, selection, r, scale, zero, [zero, top])


def _beyond_int32(draw: Draw, selection: Selection) -> Columns:
    _, zero, ends = target(draw, selection)
    size, sign, scale = draw.cross(
        (2.0**31 - 1, 2.0**31, 2.0**32, 2.0**32 + 5, 3e9, 1e10, 2.0**63, 1e300, np.inf),
        (-1.0, 1.0),
        (1.0, 0.5, 2.0),
    )
    return columns_of(draw, selection, size * sign, scale, zero, ends)


def _tiny(draw: Draw, selection: Selection) -> Columns:
    _, zero, ends = target(draw, selection)
    r, sign, scale = draw.cross(
        (0.0, 5e-324, 1e-310, 1e-30), (-1.0, 1.0), (1.0, 1e-8, 2.0**-1000, 2.0**1000)
    )
    return columns_of(draw, selection, r * sign, scale, zero, ends)


def random(draw: Draw, selection: Selection) -> Columns:
    """Draw any numbers near the range."""
    low, zero, ends = target(draw, selection)
    scale = draw.scales()
    return columns_of(draw, selection, (low + 2 * draw.unit() - 0.5) * scale, scale, zero, ends)


def nan(draw: Draw, selection: Selection) -> Columns:
    """Draw NaN."""
    _, zero, ends = target(draw, selection)
    return columns_of(draw, selection, draw.pick((np.nan,)), draw.scales(), zero, ends)


FAMILIES = (
    Family(
        "tie",
        ties,
        "r/scale is k + 1/2 exactly, with an odd zero point",
        ("round.rule", "zero_point.order", "round.constant", "round.cast"),
    ),
    Family(
        "near_tie",
        _near_ties,
        "the float64 neighbours of a tie",
        ("round.float32", "round.float_half"),
    ),
    Family(
        "quotient_tie",
        _quotient_ties,
        "the float64 quotient is a tie, the exact one need not be",
        ("round.reciprocal", "round.float32", "round.rule", "zero_point.order"),
    ),
    Family(
        "range_end",
        range_ends,
        "codes next to qmin and qmax, inside and outside",
        ("clamp.levels", "zero_point.clip", "clamp.wrap", "zero_point.missing"),
    ),
    Family(
        "saturation",
        _saturated,
        "far outside the range",
        ("clamp.wrap", "zero_point.clip", "clamp.levels"),
    ),
    Family(
        "relu",
        relu,
        "qmin is the zero point",
        ("clamp.relu", "clamp.dropped", "zero_point.clip", "zero_point.missing"),
    ),
    Family("relu6", relu6, "qmax is below the largest code", ("clamp.dropped", "clamp.relu")),
    Family(
        "beyond_int32",
        _beyond_int32,
        "the quotient does not fit int32, or is infinite",
        ("accumulator.wrap", "clamp.wrap"),
    ),
    Family("tiny", _tiny, "zero and numbers next to it", ("zero_point.missing",)),
    Family(
        "random",
        random,
        "any number near the range, unequal scales, odd zero points",
        ("zero_point.missing", "zero_point.offset", "round.cast", "round.truncation"),
    ),
    Family("nan", nan, "NaN has no code", ("input.accepted",), rejects=True),
)
