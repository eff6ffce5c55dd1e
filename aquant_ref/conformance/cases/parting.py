"""Choose a scale for which two ways to compute an operation give different codes.

Ways in floating point agree but for one case in thousands. They part beside ties, so the scales
that are tried make the result a tie, or nearly. Of ways that part on few exact ties, ties are drawn
until they do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.conformance.cases.family import Columns, between, constant
from aquant_ref.typing import Array, Integers, Reals

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection

Singles = NDArray[np.float32]
Way = Callable[[Columns, Singles], Array]  # steps of the result, for columns and its scale
TRIES = 60
TIMES = 200


@dataclass(frozen=True)
class Other:
    """Describe a way that is not the right one, and the faults of those who compute so."""

    way: Way
    description: str
    catches: tuple[str, ...]


def near_tie(real: Reals, halves: Reals, offset: Any) -> Singles:
    """Return the float32 scale that makes `real` so many steps, `offset` last bits beside it."""
    bits = (real / halves).astype(np.float32).view(np.int32) + np.asarray(offset, np.int32)
    return np.asarray(bits.astype(np.int32).view(np.float32))


def _half(code: Integers) -> Reals:
    return np.asarray(code + 0.5)


def parted(
    draw: Draw,
    columns: Columns,
    real: Reals,
    room: Integers,
    one: Way,
    other: Way,
    *,
    tie: Callable[[Integers], Reals] = _half,
) -> Columns:
    """Choose the first scale for which both ways part, or a tie's where none that is tried does.

    `tie` returns the steps at which a code becomes the next.
    """
    first = between(draw, constant(draw, 0), room - 1)
    chosen: Singles = near_tie(real, tie(first), 0)
    found = np.zeros(len(chosen), bool)
    for number in range(TRIES):
        scale = near_tie(real, tie((first + number // 3) % room), (0, 1, -1)[number % 3])
        part = ~found & (one(columns, scale) != other(columns, scale))
        chosen[part] = scale[part]
        found |= part
        if found.all():
            break
    return {**columns, "scale": chosen.astype(np.float64)}


def misjudged(
    draw: Draw,
    selection: Selection,
    *,
    ties: Callable[[Draw, Selection], Columns],
    in_float64: Callable[[Columns], Reals],
    right: Callable[[Columns], Reals],
) -> Columns:
    """Draw exact ties until an order of operations in float64 makes less or more of them.

    Both return steps before the rounding; those of `right` are exact.
    """
    columns, found = ties(draw, selection), np.zeros(len(draw), bool)
    for attempt in range(TIMES):
        again = columns if attempt == 0 else ties(draw.again(attempt), selection)
        steps = right(again)
        half = (steps % 1 == 0.5) & (np.floor(in_float64(again) + 0.5) != np.floor(steps + 0.5))
        chosen = half & ~found
        columns = {name: np.where(chosen, again[name], column) for name, column in columns.items()}
        found |= chosen
        if found.all():
            break
    return columns
