"""Make cases of `activation`: a function of codes of at most 8 bits, each in turn.

Scales beside ties come from enclosures of the exact value, so that they are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import Columns, Family, objects
from aquant_ref.conformance.cases.tensors import Row, code_range, odd, snapped
from aquant_ref.conformance.expected.functions import FUNCTIONS
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom, Draw
    from aquant_ref.conformance.cases.selection import Selection

EXACT = ("hard_sigmoid", "hard_swish", "leaky_relu")  # rational, with ties other than at 0
ALPHAS = (0.0625, 0.125, 0.25, 0.5, 1.0)
MOST = Fraction(2**20)  # of a result; an exponential beyond it saturates
Make = Callable[..., Row]


def by_function(
    make: Make, functions: tuple[str, ...] = tuple(FUNCTIONS)
) -> Callable[[Draw, Selection], Columns]:
    """Turn a function that draws one case of a named function into one that returns columns."""

    def columns(draw: Draw, selection: Selection) -> Columns:
        (names,) = draw.cross(functions)
        rows = [
            make(one, selection, name)
            for one, name in zip(draw.alone(), names.tolist(), strict=True)
        ]
        return {name: objects([row[name] for row in rows]) for name in (rows[0] if rows else ())}

    return columns


def exact_value(function: str, t: Fraction, alpha: float) -> Fraction:
    """Return the value of the function, with more digits than any float."""
    return FUNCTIONS[function](t, Fraction(alpha), 40).low


def _row(
    draw: CaseRandom,
    selection: Selection,
    function: str,
    *,
    reach: float = 6.0,
    codes: Callable[[CaseRandom, int, int, int], Array] | None = None,
) -> Row:
    """Draw scales for which the input spans `reach` and more, and the result all of its range."""
    low, high = code_range(draw, selection)
    zero = odd(draw, low, high)
    step = snapped(reach * (1 + draw.integer(0, 2**20) / 2**20) / (high - low))
    alpha = draw.pick(ALPHAS)
    x = codes(draw, low, high, zero) if codes else draw.integers(low, high, (8,))
    ends = [exact_value(function, (end - zero) * Fraction(step), alpha) for end in (low, high)]
    least, most = min(*ends, Fraction(0)), min(max(*ends, Fraction(0)), MOST)
    scale = snapped(max(float(most - least), 2.0**-6) / (high - low))
    return {
        "function": function,
        "x": x,
        "x_scale": step,
        "x_zero": zero,
        "alpha": alpha,
        "scale": scale,
        "zero_point": min(max(int(low - least / Fraction(scale)) | 1, low), high),
        "qmin": low,
        "qmax": high,
    }


def _spread(draw: CaseRandom, low: int, high: int, zero: int) -> Array:
    """Draw codes over the whole range, the ends and those beside the zero point among them."""
    inner = draw.integers(low, high, (7,))
    beside = np.clip([zero - 1, zero, zero + 1], low, high)
    return np.concatenate([[low, high], beside, inner])


def _beside_tie(draw: CaseRandom, selection: Selection, function: str) -> Row:
    """Choose the float32 scale for which one value is nearest to a tie."""
    row = _row(draw, selection, function)
    low, high = row["qmin"], row["qmax"]
    row["zero_point"] = zero = min(max(row["zero_point"], low + 2), high - 2)
    for q in row["x"].tolist():
        t = (q - row["x_zero"]) * Fraction(row["x_scale"])
        value = exact_value(function, t, row["alpha"])
        if t and abs(value) > Fraction(1, 64):
            room = high - zero if value > 0 else zero - low
            halves = draw.integer(0, room - 1) + Fraction(1, 2)
            row["scale"] = snapped(float(abs(value) / halves))
            break
    return row


def _tie(draw: CaseRandom, selection: Selection, function: str) -> Row:
    """Choose inputs that are multiples of 3/4, and a scale of which many values are k + 1/2."""
    row = _row(draw, selection, function)
    zero = min(max(row["x_zero"], row["qmin"] + 1), row["qmax"] - 1)
    x = np.clip(draw.integers(-4, 4, (8,)) + zero, row["qmin"], row["qmax"])
    x[0] = zero - 1
    middle = odd(draw, (3 * row["qmin"] + row["qmax"]) // 4, (row["qmin"] + row["qmax"]) // 2)
    scale = {"hard_sigmoid": 2.0**-2, "hard_swish": 2.0**-4, "leaky_relu": row["alpha"] * 1.5}
    near = {"x": x, "x_zero": zero, "x_scale": 0.75, "scale": scale[function]}
    return {**row, **near, "zero_point": middle}


def _zero(draw: CaseRandom, selection: Selection, function: str) -> Row:
    row = _row(draw, selection, function)
    return {**row, "x": np.full(3, row["x_zero"])}


def _no_scale(draw: CaseRandom, selection: Selection, function: str) -> Row:
    row = _row(draw, selection, function)
    return {**row, draw.pick(("x_scale", "scale")): draw.pick((0.0, -1.0))}


FAMILIES = (
    Family(
        "spread",
        by_function(partial(_row, codes=_spread)),
        "codes over the whole range, its ends among them",
        ("function.approximation", "zero_point.missing", "round.cast", "table.index"),
    ),
    Family(
        "beside_tie",
        by_function(_beside_tie),
        "the scale is the float32 for which a value is nearest to a tie",
        ("round.float32", "function.approximation", "round.twice"),
    ),
    Family(
        "tie",
        by_function(_tie, EXACT),
        "values are k + 1/2 steps exactly, of the functions that are rational",
        ("round.rule", "zero_point.order"),
    ),
    Family(
        "saturation",
        by_function(partial(_row, reach=80.0, codes=_spread)),
        "inputs far out, where the function is flat or steep",
        ("clamp.wrap", "function.overflow", "function.approximation"),
    ),
    Family(
        "zero",
        by_function(_zero),
        "the real zero",
        ("zero_point.missing", "zero_point.offset"),
    ),
    Family(
        "random",
        by_function(_row),
        "any codes",
        ("function.alpha", "zero_point.missing", "function.approximation"),
    ),
    Family(
        "no_scale",
        by_function(_no_scale),
        "scales that are none",
        ("input.accepted",),
        rejects=True,
    ),
)
BOUNDED = tuple(
    replace(f, catches=tuple(c for c in f.catches if c != "round.float32"))
    for f in FAMILIES
    if f.flag != "tie"
)
