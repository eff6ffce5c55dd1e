"""Tables instead of arithmetic: how a border in windows rounds, in the engine.

What reaches these functions are wide codes, indices of a table; what leaves them are narrow codes.
The tables were computed once, with the model (AQ-WINDOW); nothing here is shared with the
simulation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.typing import Codes, Integers

if TYPE_CHECKING:
    from aquant_ref.engine.instruction import Instruction


def look_up(table: Integers, rows: Codes) -> Integers:
    """Look up the codes `rows` (n, R, P) in `table` (R or 1, U): row r of them in row r of it.

    Spec: AQ-LOWER-7.
    """
    if len(table) == 1:
        return table[0].take(rows)
    out = np.empty(rows.shape, table.dtype)
    for row, entries in enumerate(table):
        out[:, row] = entries.take(rows[:, row])
    return out


def rounded(wide: Codes, each: Instruction) -> Codes:
    """Round the im2col matrix `wide` (n, C, kh, kw, OH, OW) of wide codes to narrow ones, uint8.

    Spec: AQ-LOWER-7.
    """
    images, channels = wide.shape[:2]
    rows = wide.reshape(images, channels * wide.shape[2] * wide.shape[3], -1)
    codes = look_up(each.arrays["codes"], rows)
    if "fusion" in each.arrays:
        windows = (images, channels, -1, rows.shape[2])
        total = look_up(each.arrays["fusion"], rows).reshape(windows)
        reached = total.sum(axis=2, keepdims=True, dtype=np.int32)
        codes += (look_up(each.arrays["lift"], rows).reshape(windows) >= reached).reshape(
            rows.shape
        )
    return codes.reshape(wide.shape)
