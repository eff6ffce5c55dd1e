"""Make cases of `add`: two codes with scales and zero points of their own, one rounding.

All scales have at most 24 bits (AQ-SNAP-1) and similar exponents, so that a careful float64
implementation is exact.
"""

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
from aquant_ref.typing import Array, Reals

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection


def columns_of(
    draw: Draw, selection: Selection, a_scale: Reals, b_scale: Reals, scale: Reals
) -> Columns:
    """Draw codes and zero points anywhere in one range."""
    qmin, qmax = code_ranges(draw, selection)
    return {
        "a": draw.integers(qmin, qmax),
        "a_scale": a_scale,
        "a_zero": odd_zero_point(draw, qmin, qmax),
        "b": draw.integers(qmin, qmax),
        "b_scale": b_scale,
        "b_zero": odd_zero_point(draw, qmin, qmax),
        "scale": scale,
        "zero_point": odd_zero_point(draw, qmin, qmax),
        "qmin": qmin,
        "qmax": qmax,
    }


def _odd(draw: Draw, most: int) -> Array:
    return np.asarray(draw.integers(0, most // 2) * 2 + 1)


def _to_tie(draw: Draw, selection: Selection, beside: int) -> Columns:
    """Choose b so that the sum is S*(2y + 1), in units of b's step; the output's step is 2*S."""
    factor, half = _odd(draw, 9), _odd(draw, 9)
    unit = np.ldexp(1.0, draw.integers(-16, -2))
    columns = columns_of(draw, selection, factor * unit, unit, 2 * half * unit)
    qmin, qmax, zero = columns["qmin"], columns["qmax"], columns["b_zero"]
    rest = between(draw, qmin, qmax) - zero + factor * (columns["a"] - columns["a_zero"])
    tie = half * (2 * (rest // (2 * half)) + 1)
    b = tie - factor * (columns["a"] - columns["a_zero"]) + zero + beside * draw.pick((-1, 1))
    return {**columns, "b": np.clip(b, qmin, qmax)}


def ties(draw: Draw, selection: Selection) -> Columns:
    """Draw exact ties."""
    return _to_tie(draw, selection, 0)


def _exact(columns: Columns) -> Reals:
    """Return steps of the result; those of a tie of `ties` are exact."""
    real = sum((columns[k] - columns[f"{k}_zero"]) * columns[f"{k}_scale"] for k in "ab")
    return np.asarray(real / columns["scale"])


def _ratios_first(columns: Columns) -> Reals:
    ratios = {k: columns[f"{k}_scale"] / columns["scale"] for k in "ab"}
    return np.asarray(sum((columns[k] - columns[f"{k}_zero"]) * ratios[k] for k in "ab"))


def _near_ties(draw: Draw, selection: Selection) -> Columns:
    return _to_tie(draw, selection, 1)


def _halves(draw: Draw, selection: Selection) -> Columns:
    """Draw branches a little below 1/2 of a step: each is rounded down, their sum up."""
    unit = np.ldexp(1.0, draw.integers(-12, -4))
    step = draw.integers(3, 9)
    columns = columns_of(draw, selection, unit, unit, step * unit)
    qmin, qmax = columns["qmin"], columns["qmax"]
    sign = draw.pick((-1, 1))
    for name in ("a", "b"):
        part = sign * draw.integers(step // 4, (step - 1) // 2)
        columns[name] = np.clip(columns[f"{name}_zero"] + part, qmin, qmax)
    return columns


def opposite(draw: Draw, selection: Selection) -> Columns:
    """Draw branches outside the output's range whose sum is inside."""
    scale = draw.scales(-8, -6)
    columns = columns_of(draw, selection, 4 * scale, 4 * scale, scale)
    qmin, qmax = columns["qmin"], columns["qmax"]
    inverse = columns["a_zero"] - columns["a"] + draw.integers(-1, 1)
    return {**columns, "b": np.clip(columns["b_zero"] + inverse, qmin, qmax)}


def relu(draw: Draw, selection: Selection) -> Columns:
    """Draw sums for a ReLU, whose qmin is the zero point."""
    scale = draw.scales(-8, -6)
    columns = columns_of(draw, selection, scale, np.ldexp(scale, draw.integers(-2, 2)), scale)
    return {**columns, "qmin": columns["zero_point"]}


def range_ends(draw: Draw, selection: Selection) -> Columns:
    """Draw codes at the ends of their range."""
    scale = draw.scales(-8, -6)
    columns = columns_of(draw, selection, scale, scale, scale)
    for name in ("a", "b"):
        columns[name] = np.where(draw.integers(0, 1), columns["qmin"], columns["qmax"])
    return columns


def random(draw: Draw, selection: Selection) -> Columns:
    """Draw any codes and scales."""
    return columns_of(
        draw, selection, draw.scales(-8, -5), draw.scales(-8, -5), draw.scales(-7, -4)
    )


def _close_ties(draw: Draw, selection: Selection) -> Columns:
    """Draw sums of N/2 steps, N odd, and 2^-24 steps more or less; one more step of a makes it."""
    unit = np.ldexp(1.0, draw.integers(-12, -4))
    columns = columns_of(draw, selection, unit * (1 + 2.0**-23), unit, 2 * unit)
    qmin, qmax = columns["qmin"], columns["qmax"]
    a, b = columns["a_zero"], columns["b_zero"]
    rest = between(draw, qmin - b, qmax - b)
    even = np.where(rest % 2 == 0, rest, np.where(rest > 0, rest - 1, rest + 1))
    even = np.where(even == 0, np.where(qmax - b >= 2, 2, -2), even)
    one = np.where(a == qmin, 1, np.where(a == qmax, -1, draw.pick((-1, 1))))
    return {**columns, "a": a + one, "b": b + even}


FAMILIES = (
    Family(
        "tie",
        ties,
        "the sum is k + 1/2 steps exactly, with unequal scales",
        ("round.rule", "zero_point.order", "add.branch_rounded", "add.one_scale"),
    ),
    Family(
        "near_tie",
        _near_ties,
        "the smallest step beside such a tie",
        ("round.cast", "add.branch_rounded", "round.constant", "round.twice"),
    ),
    Family(
        "halves",
        _halves,
        "each branch is rounded down alone, their sum up",
        ("add.branch_rounded",),
    ),
    Family(
        "opposite",
        opposite,
        "each branch is outside the range, their sum inside",
        ("add.branch_clipped", "add.relu"),
    ),
    Family(
        "relu",
        relu,
        "qmin is the zero point",
        ("add.relu", "clamp.relu", "clamp.dropped"),
    ),
    Family(
        "range_end",
        range_ends,
        "both codes at ends of their range",
        ("clamp.wrap", "accumulator.narrow", "zero_point.clip", "clamp.levels"),
    ),
    Family(
        "random",
        random,
        "three unequal scales of 24 bits, odd zero points",
        ("add.one_scale", "zero_point.missing", "add.branch_rounded", "zero_point.offset"),
    ),
    Family(
        "close_tie",
        _close_ties,
        "closer to a tie than float32 tells, where codes have room for more than half a step",
        ("round.float32",),
        edition=2,
    ),
    Family(
        "misjudged_tie",
        partial(misjudged, ties=ties, in_float64=_ratios_first, right=_exact),
        "a tie, which the ratios of the scales in float64 miss",
        ("round.float64",),
        edition=3,
    ),
)
