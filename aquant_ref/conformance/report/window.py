"""Show a wrong tensor around its first difference, for people.

q[0, 1, 2:9]: got 12 12 [14] 9 0, expected 12 12 13 9 0
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.typing import Array, Mask

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.family import Cases
    from aquant_ref.conformance.expected.results import Expected
    from aquant_ref.conformance.protocol.answers import Answers

ROWS, COLUMNS = 1, 3  # on both sides of the first difference


def window(cases: Cases, expected: Expected, answers: Answers, k: int) -> tuple[str, ...]:
    """Return a line for each row beside the first difference of the k-th case, wrong elements in
    brackets; nothing for an answer without a tensor, or of another shape.
    """
    if cases.operation.scalar or k in answers.other or expected.refused[k]:
        return ()
    columns = zip(expected.low, answers.values, expected.high, strict=True)
    for field, (low, got, high) in zip(cases.operation.result, columns, strict=True):
        if got[k].shape == low[k].shape:
            wrong = ~((low[k] <= got[k]) & (got[k] <= high[k]))
            if wrong.any():
                return tuple(_lines(field.name, got[k], low[k], wrong))
    return ()


def _lines(name: str, got: Array, right: Array, wrong: Mask) -> list[str]:
    *outer, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    left, end = max(0, int(column) - COLUMNS), min(wrong.shape[-1], int(column) + COLUMNS + 1)
    rows: list[list[int]] = [[int(axis) for axis in outer]]
    if outer:
        *channel, row = rows[0]
        near = range(max(0, row - ROWS), min(wrong.shape[-2], row + ROWS + 1))
        rows = [[*channel, each] for each in near]
    lines = []
    for place in rows:
        at: tuple[int | slice, ...] = (*place, slice(left, end))
        shown = [
            f"[{_text(v)}]" if w else _text(v) for v, w in zip(got[at], wrong[at], strict=True)
        ]
        index = ", ".join([*map(str, place), f"{left}:{end}"])
        lines.append(f"{name}[{index}]: got {' '.join(shown)}, expected {_row(right[at])}")
    return lines


def _row(values: Array) -> str:
    return " ".join(map(_text, values))


def _text(value: Any) -> str:
    return f"{float(value):.9g}" if isinstance(value, np.floating) else str(value)
