"""Tabulate borders that round anew in every window, over wide codes (SPEC.md, AQ-WINDOW).

A tensor that its readers round is stored in *wide* codes. Each of its 2^bits - 1 steps has 2^f
parts, f = 8 - bits, so a wide code u consists of a code and f fraction bits and stands for

    t = u/2^f - z

steps. A table over all wide codes replaces the polynomial and the squash of a border: after
learning, every program uses the table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.quant.border import border, inverse_squash, relative
from aquant_ref.quant.qparams import check_bits
from aquant_ref.typing import Array, Codes, Integers, Reals

WIDE_BITS = 8
LIFT_BITS = 16  # fraction bits of the tables of a fused border
LIFT_LIMIT = 1 << 29  # of a window's sum; beyond it, the border is 0 or 1 for any activation
NEVER_LIFT = -(1 << 30)  # the lift of an integer, which no border moves


def fraction_bits(bits: int) -> int:
    """Return f, the number of fraction bits in the wide code of a `bits`-bit code.

    Spec: AQ-WINDOW-1. Raise InputError for 8 bits and more, which leave no fraction bit.
    """
    if check_bits("bits", bits) >= WIDE_BITS:
        raise InputError(
            f"border: row and window borders need activations of at most {WIDE_BITS - 1} bits, "
            f"got {bits}"
        )
    return WIDE_BITS - bits


def wide_steps(bits: int, zero_point: int) -> Reals:
    """Return t of every wide code, (qmax*2^f + 1,) float64, exact. Spec: AQ-WINDOW-1."""
    parts = 1 << fraction_bits(bits)
    return np.arange((2**bits - 1) * parts + 1) / parts - zero_point


@dataclass(frozen=True)
class WindowBorder:
    """Hold the tables of a convolution's border, for its R rows and U wide codes.

    Spec: AQ-WINDOW-2, AQ-WINDOW-3. `codes` (R or 1, U) uint8 is the narrow code of each wide code.
    A fused border also has `lift` and `fusion`, (R, U) int32; its `codes` round down, and a code
    goes up where its lift is at least the sum of `fusion` over the rows of its channel in the
    window.
    """

    codes: Codes
    lift: Integers | None = None
    fusion: Integers | None = None

    def round(self, wide: Codes) -> Codes:
        """Return the narrow codes, uint8, of wide codes (n, C, k, P), windows of k positions.

        Spec: AQ-WINDOW-2, AQ-WINDOW-3.
        """
        out = look_up(self.codes, wide)
        if self.lift is None or self.fusion is None:
            return out
        total = look_up(self.fusion, wide).sum(axis=2, keepdims=True)
        out += look_up(self.lift, wide) >= total
        return out


def look_up(table: Array, wide: Codes) -> Array:
    """Return the entries of `table` (R or 1, U) for wide codes (n, C, k, P).

    Spec: AQ-WINDOW-2. The row of an element is (channel, position).
    """
    if len(table) == 1:
        return table[0][wide]
    rows = np.arange(len(table), dtype=np.int32).reshape(1, *wide.shape[1:3], 1)
    return table.ravel()[wide + rows * np.int32(table.shape[1])]


def nearest_window(bits: int, zero_point: int) -> WindowBorder:
    """Return the half_up table, for readers without a border of their own. Spec: AQ-WINDOW-4."""
    t = wide_steps(bits, zero_point)
    return WindowBorder((np.floor(t + 0.5) + zero_point).astype(np.uint8)[None])


def row_borders(
    coefficients: Reals, bits: int, *, zero_point: int = 0, squash: str = "sigmoid"
) -> Reals:
    """Return B for every row and wide code, (R, U) float64. Spec: AQ-WINDOW-2."""
    t = wide_steps(bits, zero_point)
    column = np.broadcast_to(t[:, None], (len(t), len(coefficients)))
    return border(column, coefficients, 2**bits - 1, zero_point=zero_point, squash=squash).T


def window_border(
    coefficients: Reals,
    fusion: Reals | None,
    bits: int,
    *,
    kernel: int,
    zero_point: int = 0,
    squash: str = "sigmoid",
) -> WindowBorder:
    """Tabulate a border with `coefficients` (R, 1 to 3) and, if fused, `fusion` (R, 3).

    Spec: AQ-WINDOW-2, AQ-WINDOW-3. `kernel` is the number of positions in a window, kh*kw. Raise
    InputError for 8 bits and more.
    """
    t = wide_steps(bits, zero_point)
    down = np.floor(t)
    fraction = t - down
    if fusion is None:
        borders = row_borders(coefficients, bits, zero_point=zero_point, squash=squash)
        codes = down + zero_point + (fraction >= borders)
        return WindowBorder(codes.astype(np.uint8))
    tau = relative(t, 2**bits - 1, zero_point)
    powers = np.stack([np.ones_like(tau), tau, tau * tau])
    lift = (
        inverse_squash(fraction, squash)
        - coefficients.astype(np.float64) @ powers[: coefficients.shape[1]]
    )
    share = fusion.astype(np.float64) @ powers / kernel
    limit = LIFT_LIMIT // kernel
    lifts = np.clip(np.rint(np.ldexp(lift, LIFT_BITS)), -LIFT_LIMIT + 1, LIFT_LIMIT)
    lifts[:, fraction == 0] = NEVER_LIFT
    return WindowBorder(
        (down + zero_point).astype(np.uint8)[None],
        lifts.astype(np.int32),
        np.clip(np.rint(np.ldexp(share, LIFT_BITS)), -limit, limit).astype(np.int32),
    )
