"""Make cases of `lookup`: a given table of one code for each code, at most 256."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection


def _table(draw: CaseRandom, ends: tuple[int, int]) -> Array:
    """Draw a table that has every code once, in an order that no shift of the index keeps."""
    size = ends[1] - ends[0] + 1
    return np.asarray(np.argsort(draw.integers(0, 2**60, (size,)), kind="stable") + ends[0])


def _row(draw: CaseRandom, selection: Selection, *, of_ends: bool = False, beyond: int = 0) -> Row:
    """Draw codes: any, or those beside the ends and the middle of the table."""
    low, high = code_range(draw, selection)
    shape = draw.pick(((2, 3, 5), (3, 2, 4), (1, 4, 6)))
    x = draw.integers(low, high, shape)
    if of_ends:
        middle = (low + high + 1) // 2
        places = np.array([low, low + 1, middle - 1, middle, high - 1, high])
        x = np.resize(places, x.size).reshape(shape)
    if beyond:
        x.flat[draw.integer(0, x.size - 1)] = draw.pick((low - beyond, high + beyond))
    return {"x": x, "table": _table(draw, (low, high)), "least": low}


FAMILIES = (
    Family(
        "table_end",
        by_case(partial(_row, of_ends=True)),
        "codes at the ends and in the middle of the table",
        ("table.index", "zero_point.offset", "clamp.wrap"),
    ),
    Family(
        "random",
        by_case(_row),
        "any codes, and a table that has every code once",
        ("table.index", "table.entries", "axis.layout"),
    ),
    Family(
        "outside",
        by_case(partial(_row, beyond=1)),
        "a code that the table has no entry for",
        ("input.accepted",),
        rejects=True,
    ),
)
