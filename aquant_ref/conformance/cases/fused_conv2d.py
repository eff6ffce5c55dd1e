"""Make cases of `fused_conv2d`: each window rounds wide codes by tables, then a convolution.

Wide codes have two bits of a fraction, so that a table has few entries; real ones have more
(AQ-WINDOW-1). `codes` is the code below, one row or a row for each row of the im2col matrix; `lift`
of a whole number never goes up.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.layer_parts import conv_parts
from aquant_ref.conformance.cases.tensors import Row, by_case, odd
from aquant_ref.conformance.expected.tables import NEVER_LIFT
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

PARTS = 4  # of a step
ONE = 1 << 16  # fractions of lift and fusion


def _row(draw: CaseRandom, *, bits: int = 2, **geometry: Any) -> Row:
    """Draw any tables; the wide code of zero stands for the code `zero`."""
    wide = (2**bits - 1) * PARTS
    parts = conv_parts(draw, (0, wide), **geometry)
    zero = draw.pick((0, odd(draw, 1, 2**bits - 1)))
    outputs, members, kh, kw = parts["weight"].shape
    rows = len(parts["x"]) * kh * kw
    lift = draw.integers(-ONE // 2, ONE // 2, (rows, wide + 1))
    lift[:, ::PARTS] = NEVER_LIFT
    return {
        "u": parts["x"],
        "pad_code": zero * PARTS,
        "codes": np.arange(wide + 1)[None] // PARTS,
        "lift": lift,
        "fusion": draw.integers(-ONE // (2 * kh * kw), ONE // (2 * kh * kw), (rows, wide + 1)),
        "zero": zero,
        "weight": draw.integers(-2, 3, (outputs, members, kh, kw)) * 2 + 1,
        **{key: parts[key] for key in ("stride", "padding", "dilation", "groups")},
    }


def _any(draw: CaseRandom, _selection: Selection, **geometry: Any) -> Row:
    return _row(draw, **geometry)


def _window_sums(row: Row) -> tuple[Array, Array]:
    """Return the wide codes (C, kh*kw) of the first unpadded window, and their sum of fusion."""
    kh, kw = row["weight"].shape[2:]
    wide = row["u"][:, :kh, :kw].reshape(len(row["u"]), -1)
    places = np.arange(wide.size).reshape(wide.shape)
    return wide, row["fusion"][places, wide].sum(axis=1)


def _at_lift(draw: CaseRandom, _selection: Selection, *, step: int) -> Row:
    """Set lift to the first window's sum of fusion in each row, or to one less."""
    row = _row(draw)
    wide, total = _window_sums(row)
    places = np.arange(wide.size).reshape(wide.shape)
    moved = np.where(wide % PARTS == 0, NEVER_LIFT, total[:, None] + step)
    row["lift"][places, wide] = moved
    return row


def _unfused(draw: CaseRandom, _selection: Selection) -> Row:
    """Draw a border for each row of the im2col matrix: `codes` alone."""
    row = _row(draw)
    rows, entries = row["lift"].shape
    up = (np.arange(entries) % PARTS) > draw.integers(0, PARTS - 1, (rows, entries))
    row["codes"] = np.arange(entries) // PARTS + up
    row["lift"] = np.full((1, entries), NEVER_LIFT)
    row["fusion"] = np.zeros((1, entries), np.int64)
    return row


def _one_row(draw: CaseRandom, _selection: Selection) -> Row:
    """Keep one row of each table for all rows."""
    row = _row(draw)
    return {**row, "lift": row["lift"][:1], "fusion": row["fusion"][:1]}


EDGE: dict[str, Any] = {"size": (2, 1), "kernel": (2, 2), "padding": (1, 1, 0, 1)}

FAMILIES = (
    Family(
        "at_lift",
        by_case(partial(_at_lift, step=0)),
        "lift is the window's sum of fusion: up",
        ("border.strict", "border.fusion", "border.row"),
    ),
    Family(
        "below_lift",
        by_case(partial(_at_lift, step=-1)),
        "one below: down",
        ("border.fusion", "border.coefficients", "border.row"),
    ),
    Family(
        "rows",
        by_case(_unfused),
        "a border for each row, not fused",
        ("border.row", "axis.columns"),
    ),
    Family(
        "one_row",
        by_case(_one_row),
        "one row of lift and fusion for all",
        ("border.fusion", "border.row"),
    ),
    Family(
        "image_edge",
        by_case(partial(_any, **EDGE)),
        "windows over the image's edges: padding is a wide code like any other",
        ("border.padding", "zero_point.padding", "border.fusion"),
    ),
    Family(
        "groups",
        by_case(partial(_any, groups=2, size=(2, 3))),
        "two groups, each with tables of its own",
        ("axis.groups", "border.row"),
    ),
    Family(
        "random",
        by_case(_any),
        "any tables",
        ("border.half", "border.row", "border.fusion", "axis.columns", "zero_point.missing"),
    ),
)
