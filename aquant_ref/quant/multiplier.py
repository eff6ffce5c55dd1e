"""From a real multiplier to an integer and a shift, and requantization in floating point.

    M ~ multiplier * 2^-shift,     multiplier in [2^30, 2^31)

The integer requantizations are in `integer.fixed_point`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aquant_ref.errors import InputError
from aquant_ref.integer.fixed_point import check_shift
from aquant_ref.quant.rounding import half_away, half_even

Array = NDArray[Any]

REAL_PROFILES = ("float32", "float64")


def multiplier(m: float | Fraction) -> tuple[int, int]:
    """(multiplier, shift) of a real M > 0: the mantissa rounded half_up to 31 bits.

    Spec: AQ-FIXED-1. Where the mantissa rounds to 2^31 it is halved and the shift is one less. M
    >= 1
    is allowed. Exact for any float64 or Fraction. Raises InputError unless M is finite, above 0 and
    inside the range of shifts, 0..62.

    >>> multiplier(0.75), multiplier(1.0), multiplier(1 - 2.0**-40)
    ((1610612736, 31), (1073741824, 30), (1073741824, 30))
    """
    if not m > 0 or m in (float("inf"),):
        raise InputError(f"multiplier: needs a finite number above 0, got {m}")
    exact = Fraction(m)
    shift = 31
    while exact * 2**shift < 2**30:
        shift += 1
    while exact * 2**shift >= 2**31:
        shift -= 1
    mantissa = (2 * exact * 2**shift + 1).__floor__() // 2
    if mantissa == 2**31:
        mantissa, shift = 2**30, shift - 1
    return mantissa, check_shift(shift)


def requantize_real(
    acc: ArrayLike,
    m: ArrayLike,
    *,
    zero_point: int = 0,
    qmin: int,
    qmax: int,
    profile: str,
) -> Array:
    """Codes (int32) of int32 accumulators by a floating-point product with the real multiplier M.

    Spec: AQ-FIXED-5 (`float32`: the accumulator and M rounded to float32, their product, ties to
    even) and AQ-FIXED-6 (`float64`: ties away from zero). Raises InputError for an unknown profile.
    """
    values = np.asarray(acc)
    if profile == "float32":
        steps = half_even(values.astype(np.float32) * np.asarray(m, np.float32))
    elif profile == "float64":
        steps = half_away(values.astype(np.float64) * np.asarray(m, np.float64))
    else:
        raise InputError(f"profile: {profile!r} is not one of {', '.join(REAL_PROFILES)}")
    return np.asarray(np.clip(steps.astype(np.float64) + zero_point, qmin, qmax).astype(np.int32))
