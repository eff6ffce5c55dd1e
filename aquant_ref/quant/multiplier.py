"""Convert a real multiplier to an integer and a shift, and requantize in floating point.

    M ~ multiplier * 2^-shift,     multiplier in [2^30, 2^31)

The integer variations are in `integer.requantize`. Those in floating point use the real M:

| variation | rule | Spec |
|---|---|---|
| `float32` | half_even(float32(acc) * float32(M)) + zero point | AQ-FIXED-5 |
| `float64` | half_away(float64(acc) * M) + zero point | AQ-FIXED-6 |
| `float64_onnx` | half_even(float64(acc) * M + zero point) | AQ-FIXED-7 |
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.checks import word
from aquant_ref.errors import InputError
from aquant_ref.integer.saturate import check_ends, check_int32, check_meet
from aquant_ref.integer.shift import MAX_SHIFT
from aquant_ref.quant.reals import check_float64, check_fraction
from aquant_ref.quant.rounding import half_away, half_even
from aquant_ref.typing import Codes

REAL_PROFILES = ("float32", "float64", "float64_onnx")


def multiplier(m: float | Fraction) -> tuple[int, int]:
    """Return (multiplier, shift) of a real M > 0: its mantissa, rounded half_up to 31 bits.

    Spec: AQ-FIXED-1. If the mantissa rounds to 2^31, halve it and lower the shift by one. M >= 1 is
    allowed. The result is exact for any float64 or Fraction. Raise InputError unless M is finite,
    above 0 and has a shift in 0..62.

    >>> multiplier(0.75), multiplier(1.0), multiplier(1 - 2.0**-40)
    ((1610612736, 31), (1073741824, 30), (1073741824, 30))
    """
    exact = check_fraction("multiplier", m)
    if exact <= 0:
        raise InputError(f"multiplier: needs a number above 0, got {m}")
    # This shift puts M * 2^shift between 2^29 and 2^31.
    shift = 30 + exact.denominator.bit_length() - exact.numerator.bit_length()
    if exact * Fraction(2) ** shift < 2**30:
        shift += 1
    mantissa = (2 * exact * Fraction(2) ** shift + 1).__floor__() // 2
    if mantissa == 2**31:
        mantissa, shift = 2**30, shift - 1
    if not 0 <= shift <= MAX_SHIFT:
        raise InputError(f"multiplier: needs a shift in 0..{MAX_SHIFT}, but M has shift {shift}")
    return mantissa, shift


def requantize_real(
    acc: ArrayLike,
    m: ArrayLike,
    *,
    zero_point: ArrayLike = 0,
    qmin: ArrayLike,
    qmax: ArrayLike,
    profile: str,
) -> Codes:
    """Return the codes (int32) of int32 accumulators, multiplied by a real M in floating point.

    Spec: AQ-FIXED-5 to AQ-FIXED-7. All arrays broadcast. Raise InputError for an unknown variation,
    for an accumulator, zero point or end beyond int32, and for an M that is not finite or not
    above 0.

    >>> [
    ...     requantize_real([5], 0.5, zero_point=1, qmin=0, qmax=9, profile=profile).tolist()
    ...     for profile in REAL_PROFILES
    ... ]
    [[3], [4], [4]]
    """
    word("profile", profile, REAL_PROFILES)
    values, z = check_int32("accumulator", acc), check_int32("zero point", zero_point)
    real, (low, high) = check_float64("multiplier", m), check_ends(qmin, qmax)
    check_meet("accumulator, multiplier, zero point and ends", values, real, z, low, high)
    if not bool((np.isfinite(real) & (real > 0)).all()):
        raise InputError("multiplier: needs finite numbers above 0")
    dtype = np.float32 if profile == "float32" else np.float64
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # too large saturates
        product = values.astype(dtype) * real.astype(dtype)
    product = np.where(values == 0, dtype(0), product)  # an M beyond float32 makes 0 * infinity NaN
    if profile == "float64_onnx":
        steps = half_even(product + z)
    else:
        rounded = half_even(product) if profile == "float32" else half_away(product)
        steps = rounded.astype(np.float64) + z
    return np.asarray(np.clip(steps, low, high).astype(np.int32))
