"""Borders that are evaluated anew in every window: wide codes and tables (SPEC.md, AQ-WINDOW).

A tensor whose readers round it themselves is stored with *wide* codes: its 2^bits - 1 steps are
divided into 2^f parts each, f = 8 - bits, so that a wide code u stands for

    t = u/2^f - z

steps, and holds a code and f bits of its fraction. What a border does to all wide codes is a table,
computed once; from then on the tables, not polynomial and sigmoid, are the border in every program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.quant.border import border, inverse_squash, relative
from aquant_ref.quant.qparams import check_bits

Array = NDArray[Any]

WIDE_BITS = 8
LIFT_BITS = 16  # fraction bits of the tables of a fused border
LIFT_LIMIT = 1 << 29  # of a window's sum; beyond it a border is 0 or 1 whatever the activation
NEVER_LIFT = -(1 << 30)  # the lift of an integer, which no border moves


def fraction_bits(bits: int) -> int:
    """How many bits of its fraction the wide code of a `bits`-bit code holds, f.

    Spec: AQ-WINDOW-1. Raises InputError from 8 bits on, where no bit is left.
    """
    if check_bits("bits", bits) >= WIDE_BITS:
        raise InputError(
            f"border: one that rounds in windows needs codes of fewer than {WIDE_BITS} bits, "
            f"got {bits}"
        )
    return WIDE_BITS - bits


def wide_steps(bits: int, zero_point: int) -> Array:
    """The t of every wide code, (qmax*2^f + 1,) float64, exact. Spec: AQ-WINDOW-1."""
    parts = 1 << fraction_bits(bits)
    return np.arange((2**bits - 1) * parts + 1) / parts - zero_point


@dataclass(frozen=True)
class WindowBorder:
    """The tables of a convolution's border, for its R rows and U wide codes.

    Spec: AQ-WINDOW-2, AQ-WINDOW-3.

    `codes` (R or 1, U) uint8: the narrow code that a wide one is rounded to or, with `lift` (R, U)
    and `fusion` (R, U) int32, rounded down to; it then goes up where lift is at least the sum of
    `fusion` over the rows of the same channel in the window.
    """

    codes: Array
    lift: Array | None = None
    fusion: Array | None = None

    def round(self, wide: Array) -> Array:
        """The narrow codes, uint8, of wide codes (n, C, k, P): windows of k positions.

        Spec: AQ-WINDOW-2, AQ-WINDOW-3.
        """
        out = look_up(self.codes, wide)
        if self.lift is None or self.fusion is None:
            return out
        total = look_up(self.fusion, wide).sum(axis=2, keepdims=True)
        out += look_up(self.lift, wide) >= total
        return out


def look_up(table: Array, wide: Array) -> Array:
    """What `table` (R or 1, U) has for wide codes (n, C, k, P), whose rows are (channel, position).

    Spec: AQ-WINDOW-2.
    """
    if len(table) == 1:
        return table[0][wide]
    rows = np.arange(len(table), dtype=np.int32).reshape(1, *wide.shape[1:3], 1)
    return table.ravel()[wide + rows * np.int32(table.shape[1])]


def nearest_window(bits: int, zero_point: int) -> WindowBorder:
    """What a reader without a border of its own makes of wide codes: half_up. Spec: AQ-WINDOW-4."""
    t = wide_steps(bits, zero_point)
    return WindowBorder((np.floor(t + 0.5) + zero_point).astype(np.uint8)[None])


def row_borders(
    coefficients: Array, bits: int, *, zero_point: int = 0, squash: str = "sigmoid"
) -> Array:
    """B of every row and wide code, (R, U) float64. Spec: AQ-WINDOW-2."""
    t = wide_steps(bits, zero_point)
    column = np.broadcast_to(t[:, None], (len(t), len(coefficients)))
    return border(column, coefficients, 2**bits - 1, zero_point=zero_point, squash=squash).T


def window_border(
    coefficients: Array,
    fusion: Array | None,
    bits: int,
    *,
    kernel: int,
    zero_point: int = 0,
    squash: str = "sigmoid",
) -> WindowBorder:
    """The tables of a border with `coefficients` (R, 1 to 3) and, if fused, `fusion` (R, 3).

    Spec: AQ-WINDOW-2, AQ-WINDOW-3. `kernel` is the number of positions in a window, kh*kw. Raises
    InputError from 8 bits on.
    """
    t = wide_steps(bits, zero_point)
    down = np.floor(t)
    inside = t - down
    if fusion is None:
        borders = row_borders(coefficients, bits, zero_point=zero_point, squash=squash)
        codes = down + zero_point + (inside >= borders)
        return WindowBorder(codes.astype(np.uint8))
    tau = relative(t, 2**bits - 1, zero_point)
    powers = np.stack([np.ones_like(tau), tau, tau * tau])
    lift = (
        inverse_squash(inside, squash)
        - coefficients.astype(np.float64) @ powers[: coefficients.shape[1]]
    )
    share = fusion.astype(np.float64) @ powers / kernel
    limit = LIFT_LIMIT // kernel
    lifts = np.clip(np.rint(np.ldexp(lift, LIFT_BITS)), -LIFT_LIMIT + 1, LIFT_LIMIT)
    lifts[:, inside == 0] = NEVER_LIFT
    return WindowBorder(
        (down + zero_point).astype(np.uint8)[None],
        lifts.astype(np.int32),
        np.clip(np.rint(np.ldexp(share, LIFT_BITS)), -limit, limit).astype(np.int32),
    )
