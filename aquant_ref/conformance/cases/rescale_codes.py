"""Make cases of `rescale_codes`: codes of one scale and zero point become codes of another.

The range of the input is drawn apart from that of the result, so that it may have another sign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import (
    Columns,
    Family,
    between,
    code_ranges,
    constant,
    odd_zero_point,
)
from aquant_ref.conformance.cases.parting import Other, Singles, Way, misjudged, near_tie, parted
from aquant_ref.typing import Array, Integers, Reals

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection


MOST_STEPS = 127  # of the input where the quotient is a tie


def _columns(
    draw: Draw, selection: Selection, x_scale: Reals, scale: Reals, *, end: bool = False
) -> Columns:
    """Draw any code, or one at an end of its range."""
    low, high = code_ranges(draw, selection)
    qmin, qmax = code_ranges(draw, selection)
    return {
        "x": np.where(draw.integers(0, 1), low, high) if end else draw.integers(low, high),
        "x_scale": x_scale,
        "x_zero": odd_zero_point(draw, low, high),
        "scale": scale,
        "zero_point": odd_zero_point(draw, qmin, qmax),
        "qmin": qmin,
        "qmax": qmax,
    }


def with_room(columns: Columns, steps: Integers) -> tuple[Columns, Array]:
    """Move a zero point off the end to which `steps` lead; return how many codes are beyond it."""
    zero, qmin, qmax = (columns[name] for name in ("zero_point", "qmin", "qmax"))
    zero = np.where((steps > 0) & (zero == qmax), zero - 2, zero)
    zero = np.where((steps < 0) & (zero == qmin), zero + 2, zero)
    return {**columns, "zero_point": zero}, np.where(steps > 0, qmax - zero, zero - qmin)


def tied(draw: Draw, columns: Columns, steps: Integers) -> tuple[Columns, Array, Array]:
    """Choose scales, of 24 bits at most, for which `steps`, not 0, are k + 1/2 of the result.

    Returns the columns and the scales of `steps` and of the result. The first is below 128 times
    the second.
    """
    columns, room = with_room(columns, steps)
    halves = 2 * between(draw, constant(draw, 0), np.minimum(room - 1, 63 * abs(steps))) + 1
    unit = np.ldexp(1.0, draw.integers(-20, -8))
    return columns, halves * unit, 2 * abs(steps) * unit


def _stepped(draw: Draw, selection: Selection, x_scale: Reals) -> tuple[Columns, Array]:
    """Draw codes that are not the zero point; return them in steps, too."""
    columns = _columns(draw, selection, x_scale, x_scale)
    steps = np.clip(columns["x"] - columns["x_zero"], -MOST_STEPS, MOST_STEPS)
    steps = np.where(steps == 0, -1, steps)  # an odd zero point is above the lowest code
    return {**columns, "x": columns["x_zero"] + steps}, steps


def ties(draw: Draw, selection: Selection) -> Columns:
    """Draw exact ties."""
    columns, steps = _stepped(draw, selection, np.zeros(len(draw)))
    columns, x_scale, scale = tied(draw, columns, steps)
    return {**columns, "x_scale": x_scale, "scale": scale}


def _beside(draw: Draw, selection: Selection) -> tuple[Columns, Array, Array]:
    """Draw codes; return their size, and how many codes are beyond the zero point."""
    columns, steps = _stepped(draw, selection, draw.scales(-7, -6))
    columns, room = with_room(columns, steps)
    return columns, abs(steps) * columns["x_scale"], np.minimum(room, 63 * abs(steps))


def beside_ties(draw: Draw, selection: Selection) -> Columns:
    """Choose the float32 nearest to the scale of a tie, or one up to two last bits beside it."""
    columns, real, room = _beside(draw, selection)
    halves = between(draw, constant(draw, 0), room - 1) + 0.5
    return {**columns, "scale": near_tie(real, halves, draw.integers(-2, 2)).astype(np.float64)}


def apart(draw: Draw, selection: Selection, *, one: Way, other: Way) -> Columns:
    """Choose a scale for which two ways give different codes."""
    columns, real, room = _beside(draw, selection)
    return parted(draw, columns, real, room, one, other)


def _steps(columns: Columns) -> Array:
    return np.asarray(columns["x"] - columns["x_zero"], np.float32)


def _in_float32(columns: Columns, scale: Singles) -> Array:
    return np.rint(_steps(columns) * columns["x_scale"].astype(np.float32) / scale)


def _by_reciprocal(columns: Columns, scale: Singles) -> Array:
    real = _steps(columns) * columns["x_scale"].astype(np.float32)
    return np.rint(real * (np.float32(1) / scale))


def _by_one_multiplier(columns: Columns, scale: Singles) -> Array:
    return np.rint(_steps(columns) * (columns["x_scale"].astype(np.float32) / scale))


def _in_float64(columns: Columns, scale: Singles) -> Array:
    return np.floor(_steps(columns) * columns["x_scale"] / scale + 0.5)


WAYS = {
    "in_float32": Other(_in_float32, "in float32", ("round.float32", "round.rule")),
    "reciprocal": Other(_by_reciprocal, "multiplied by the reciprocal", ("round.reciprocal",)),
    "one_multiplier": Other(
        _by_one_multiplier, "multiplied by the ratio of the scales", ("round.twice",)
    ),
    "in_float64": Other(_in_float64, "in float64", ("round.float64", "round.rule")),
}


def _exact(columns: Columns) -> Reals:
    """Return steps of the result; with scales of 24 bits they are exact enough to be rounded."""
    return np.asarray((columns["x"] - columns["x_zero"]) * columns["x_scale"] / columns["scale"])


def _ratio_first(columns: Columns) -> Reals:
    return np.asarray((columns["x"] - columns["x_zero"]) * (columns["x_scale"] / columns["scale"]))


def two_roundings(draw: Draw, selection: Selection) -> Columns:
    """Draw scales two to four times as coarse, so that a first rounding often makes a tie."""
    scale = draw.scales(-7, -6)
    columns, _ = _stepped(draw, selection, scale)
    ratio = 2 + 2 * draw.unit()
    return {**columns, "scale": (scale * ratio).astype(np.float32).astype(np.float64)}


def same_scale(draw: Draw, selection: Selection) -> Columns:
    """Draw two zero points with one scale."""
    scale = draw.scales()
    return _columns(draw, selection, scale, scale)


def range_ends(draw: Draw, selection: Selection) -> Columns:
    """Draw codes at an end of their range, and a scale up to 8 times as fine."""
    scale = draw.scales(-8, -5)
    return _columns(draw, selection, np.ldexp(scale, draw.integers(0, 3)), scale, end=True)


def relu(draw: Draw, selection: Selection) -> Columns:
    """Draw a result whose qmin is the zero point."""
    scale = draw.scales(-8, -5)
    columns = _columns(draw, selection, scale, np.ldexp(scale, draw.integers(-1, 1)))
    return {**columns, "qmin": columns["zero_point"]}


def random(draw: Draw, selection: Selection) -> Columns:
    """Draw any codes and scales."""
    return _columns(draw, selection, draw.scales(-8, -5), draw.scales(-8, -5))


def _no_scale(draw: Draw, selection: Selection, *, bad: tuple[float, ...]) -> Columns:
    columns = random(draw, selection)
    first, value = draw.integers(0, 1) == 1, draw.pick(bad)
    return {
        **columns,
        "x_scale": np.where(first, value, columns["x_scale"]),
        "scale": np.where(first, columns["scale"], value),
    }


def _ratios(draw: Draw, selection: Selection) -> Columns:
    columns = random(draw, selection)
    return {**columns, "scale": columns["x_scale"] * draw.pick((2.0**-8, 2.0**9, 2.0**12))}


ORDINARY = (
    Family(
        "tie",
        ties,
        "the quotient is k + 1/2 steps exactly, with unequal scales",
        ("round.rule", "zero_point.order", "round.truncation", "round.twice"),
    ),
    Family(
        "beside_tie",
        beside_ties,
        "the scale is that of a tie, rounded to float32, or up to two last bits beside it",
        ("multiplier.range", "round.constant", "round.twice", "round.rule"),
    ),
    Family(
        "two_roundings",
        two_roundings,
        "a result two to four times as coarse: a first rounding to codes often makes a tie",
        ("round.twice", "round.rule", "round.truncation", "round.cast"),
    ),
    Family(
        "same_scale",
        same_scale,
        "one scale and two zero points",
        ("zero_point.missing", "zero_point.offset", "clamp.wrap"),
    ),
    Family(
        "range_end",
        range_ends,
        "codes at an end of their range, and a finer scale",
        ("clamp.wrap", "clamp.levels", "zero_point.clip", "accumulator.narrow"),
    ),
    Family("relu", relu, "qmin is the zero point", ("clamp.relu", "clamp.dropped")),
    Family(
        "random",
        random,
        "any codes, unequal scales of 24 bits, odd zero points",
        (
            "zero_point.missing",
            "zero_point.offset",
            "round.cast",
            "round.truncation",
            "scale.swapped",
        ),
    ),
)


def _refused(*bad: float) -> Family:
    return Family(
        "no_scale",
        partial(_no_scale, bad=bad),
        "scales that are none, or no normal float32",
        ("input.accepted",),
        rejects=True,
    )


def parting(apart: Callable[..., Columns], ways: Mapping[str, Other], right: str) -> list[Family]:
    """Return a family for each way but the right one: cases for which it gives another code."""
    return [
        Family(
            name,
            partial(apart, one=ways[right].way, other=other.way),
            f"{other.description}, it is another code",
            other.catches,
        )
        for name, other in ways.items()
        if name != right
    ]


NO_FLOAT32 = (1e-46, 2.0**-127, 2.0**127, 1e39, 0.0, -1.0)
FAMILIES = (
    *ORDINARY,
    *parting(apart, {name: WAYS[name] for name in ("in_float64", "in_float32")}, "in_float64"),
    _refused(0.0, -1.0),
    Family(
        "misjudged_tie",
        partial(misjudged, ties=ties, in_float64=_ratio_first, right=_exact),
        "a tie, which the ratio of the scales in float64 misses",
        ("round.float64",),
        edition=1,
    ),
)
OF_PEERS = {
    **dict.fromkeys(("tflite", "tflite_up"), (*ORDINARY, _refused(*NO_FLOAT32))),
    "xnnpack": (
        *ORDINARY,
        _refused(*NO_FLOAT32),
        Family(
            "ratio",
            _ratios,
            "scales too far from one another",
            ("input.accepted",),
            rejects=True,
        ),
    ),
    "float32": (*ORDINARY, *parting(apart, WAYS, "in_float32"), _refused(*NO_FLOAT32)),
}
