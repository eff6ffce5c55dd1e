"""Wrong ways to apply a table to codes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aquant_ref.conformance.faults.fault import of_tensors
from aquant_ref.typing import Array


def indexed(index: Callable[[Array, int, int], Array]) -> Callable[..., Array]:
    """The entries at the index made of codes, the least of them and the size of the table."""

    def lookup(*, x: Array, table: Array, least: int) -> Array:
        return table[np.clip(index(x, least, len(table)), 0, len(table) - 1)]

    return lookup


def cut(*, x: Array, table: Array, least: int) -> Array:
    """Entries of seven bits."""
    middle = int(table.min()) + len(table) // 2
    return np.minimum(table[x - least], middle - 1)


def row_by_row(*, x: Array, table: Array, least: int) -> Array:
    """Written in the order H, W, C."""
    return table[x - least].transpose(1, 2, 0).reshape(x.shape)


ROWS: list[tuple[str, Callable[..., Array], str, str]] = [
    ("the code itself is the index", indexed(lambda x, least, n: x % n), "table.index", "random"),
    (
        "signed codes without their offset",
        indexed(lambda x, least, n: np.where(x < 0, 0, x)),
        "table.index",
        "table_end",
    ),
    (
        "always an offset of half the table",
        indexed(lambda x, least, n: x + n // 2),
        "table.index",
        "random",
    ),
    ("off by one", indexed(lambda x, least, n: x - least + 1), "table.index", "table_end"),
    (
        "the last entry is missing",
        indexed(lambda x, least, n: np.minimum(x - least, n - 2)),
        "clamp.wrap",
        "table_end",
    ),
    (
        "in reverse",
        indexed(lambda x, least, n: n - 1 - (x - least)),
        "table.entries",
        "random",
    ),
    (
        "every second entry",
        indexed(lambda x, least, n: (x - least) // 2 * 2),
        "table.entries",
        "random",
    ),
    ("entries of seven bits", cut, "table.entries", "random"),
    ("rows and channels confused", row_by_row, "axis.layout", "random"),
]

WRONG = of_tensors("lookup", [("", *row) for row in ROWS])
