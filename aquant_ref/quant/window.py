"""Tabulate borders that round anew in every window, over wide codes (SPEC.md, AQ-WINDOW).

A tensor that its readers round is stored in *wide* codes. Each of its 2^bits - 1 steps has 2^f
parts, f = 8 - bits, so a wide code u consists of a code and f fraction bits and stands for

    t = u/2^f - z

steps. Where the error of clipping is fed back, a wide code has fewer fraction bits and holds steps
beyond the codes as well (`WideCodes`). A table over all wide codes replaces the polynomial and the
squash of a border: after learning, every program uses the table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aquant_ref.checks import integer
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


@dataclass(frozen=True)
class WideCodes:
    """Say what wide codes mean: u in 0..largest stands for t = u/2^fraction_bits + least steps.

    Spec: AQ-WINDOW-1, AQ-FEEDBACK-3.
    """

    fraction_bits: int
    least: int
    largest: int = 2**WIDE_BITS - 1

    @classmethod
    def of(cls, bits: int, zero_point: int) -> WideCodes:
        """Return those that hold the codes and nothing beyond. Spec: AQ-WINDOW-1."""
        fraction = fraction_bits(bits)
        return cls(fraction, -zero_point, (2**bits - 1) << fraction)

    @property
    def zero(self) -> int:
        """The wide code of 0 steps."""
        return -self.least << self.fraction_bits

    @property
    def end(self) -> float:
        """The largest t."""
        return self.largest / (1 << self.fraction_bits) + self.least

    def steps(self) -> Reals:
        """Return t of every wide code, (largest + 1,) float64, exact."""
        return np.arange(self.largest + 1) / (1 << self.fraction_bits) + self.least

    def codes(self, bits: int, zero_point: int) -> tuple[Codes, Codes]:
        """Return the narrow codes that t may become, rounded down and up, each clipped: uint8."""
        t = self.steps()
        down, up = (
            np.clip(each + zero_point, 0, 2**bits - 1).astype(np.uint8)
            for each in (np.floor(t), np.ceil(t))
        )
        return down, up

    def check(self, bits: int, zero_point: int) -> None:
        """Raise ValueError unless these hold every code of a tensor."""
        own = self.of(bits, zero_point)
        integer("fraction_bits", self.fraction_bits, 1, own.fraction_bits)
        integer("largest", self.largest, 1, 2**WIDE_BITS - 1)
        integer("least", self.least, -(2**WIDE_BITS), own.least)
        if self.zero > self.largest or self.end < own.end:
            raise ValueError(f"wide codes of {self.least}..{self.end} steps do not hold all codes")


def wide_steps(bits: int, zero_point: int) -> Reals:
    """Return t of every wide code, (qmax*2^f + 1,) float64, exact. Spec: AQ-WINDOW-1."""
    return WideCodes.of(bits, zero_point).steps()


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


def nearest_window(bits: int, zero_point: int, wide: WideCodes | None = None) -> WindowBorder:
    """Return the half_up table, for readers without a border of their own. Spec: AQ-WINDOW-4."""
    t = (wide or WideCodes.of(bits, zero_point)).steps()
    codes = np.clip(np.floor(t + 0.5) + zero_point, 0, 2**bits - 1)
    return WindowBorder(codes.astype(np.uint8)[None])


def row_borders(
    coefficients: Reals,
    bits: int,
    *,
    zero_point: int = 0,
    squash: str = "sigmoid",
    wide: WideCodes | None = None,
) -> Reals:
    """Return B for every row and wide code, (R, U) float64. Spec: AQ-WINDOW-2."""
    t = (wide or WideCodes.of(bits, zero_point)).steps()
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
    wide: WideCodes | None = None,
) -> WindowBorder:
    """Tabulate a border with `coefficients` (R, 1 to 3) and, if fused, `fusion` (R, 3).

    Spec: AQ-WINDOW-2, AQ-WINDOW-3. `kernel` is the number of positions in a window, kh*kw. Raise
    InputError for 8 bits and more.
    """
    wide = wide or WideCodes.of(bits, zero_point)
    t = wide.steps()
    down, up = wide.codes(bits, zero_point)
    fraction = t - np.floor(t)
    if fusion is None:
        borders = row_borders(coefficients, bits, zero_point=zero_point, squash=squash, wide=wide)
        return WindowBorder(np.where(fraction >= borders, up, down))
    tau = relative(t, 2**bits - 1, zero_point)
    powers = np.stack([np.ones_like(tau), tau, tau * tau])
    lift = (
        inverse_squash(fraction, squash)
        - coefficients.astype(np.float64) @ powers[: coefficients.shape[1]]
    )
    share = fusion.astype(np.float64) @ powers / kernel
    limit = LIFT_LIMIT // kernel
    lifts = np.clip(np.rint(np.ldexp(lift, LIFT_BITS)), -LIFT_LIMIT + 1, LIFT_LIMIT)
    lifts[:, down == up] = NEVER_LIFT
    return WindowBorder(
        down[None],
        lifts.astype(np.int32),
        np.clip(np.rint(np.ldexp(share, LIFT_BITS)), -limit, limit).astype(np.int32),
    )
