"""Requantization in integers: acc * (multiplier * 2^-shift), rounded, plus the zero point, clipped.

`multiplier` is in [2^30, 2^31) and `shift` in 0..62 is the total right shift. The profiles differ
in
where they round (PEERS, section 1, with e = 31 - shift):

| profile | rule | Spec |
|---|---|---|
| `exact`, `tflite_single` | one rounding of acc*multiplier/2^shift, half_up | AQ-FIXED-2 |
| `tflite_up` | H = half_up(acc*2^max(e,0)*multiplier/2^31), then half_up(H/2^max(-e,0)) |
AQ-FIXED-3 |
| `tflite_away` | the same H, then half_away(H/2^max(-e,0)) | AQ-FIXED-4 |

`tflite_single` is a name of its own because it is what a peer calls the rule; it gives the same
codes
as `exact`. The profiles `float32` and `float64` are in `quant.multiplier`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.integer.saturate import check_int32, saturate
from aquant_ref.integer.shift import MAX_SHIFT, shift_right

Array = NDArray[Any]

PROFILES = ("exact", "tflite_away", "tflite_up", "tflite_single")
MULTIPLIER_MIN, MULTIPLIER_END = 2**30, 2**31


def check_shift(shift: int) -> int:
    """`shift` if it is in 0..62, else InputError."""
    if not 0 <= shift <= MAX_SHIFT:
        raise InputError(f"shift: the total right shift needs to be 0 to {MAX_SHIFT}, got {shift}")
    return int(shift)


def scale_accumulator(acc: Array, multiplier: int, shift: int, *, profile: str = "exact") -> Array:
    """Acc * multiplier * 2^-shift rounded to int64, for int32 accumulators of any shape.

    Spec: AQ-FIXED-2 to AQ-FIXED-4. Raises InputError for a multiplier outside [2^30, 2^31), a shift
    out of range, an unknown profile, or a left shift (M >= 1) that leaves int32.
    """
    if not MULTIPLIER_MIN <= multiplier < MULTIPLIER_END:
        raise InputError(f"multiplier: needs a value in [2^30, 2^31), got {multiplier}")
    check_shift(shift)
    wide = check_int32("acc", acc)
    if profile in ("exact", "tflite_single"):
        return shift_right(wide * np.int64(multiplier), shift, rounding="half_up")
    if profile not in PROFILES:
        raise InputError(f"profile: {profile!r} is not one of {', '.join(PROFILES)}")
    exponent = 31 - shift
    shifted = check_int32("acc << (31 - shift)", wide << max(exponent, 0))
    high = shift_right(shifted * np.int64(multiplier), 31, rounding="half_up")
    second = "half_away" if profile == "tflite_away" else "half_up"
    return shift_right(high, max(-exponent, 0), rounding=second)


def requantize(
    acc: Array,
    multiplier: int,
    shift: int,
    *,
    zero_point: int = 0,
    qmin: int,
    qmax: int,
    profile: str = "exact",
) -> Array:
    """Codes (int32): clip(acc * multiplier * 2^-shift, rounded, + zero_point, qmin, qmax).

    Spec: AQ-FIXED-2 to AQ-FIXED-4. A fused ReLU is qmin = zero_point. Raises InputError as
    `scale_accumulator` does.

    >>> requantize(np.array([-3, -1, 1, 3]), 2**30, 31, qmin=-8, qmax=7).tolist()
    [-1, 0, 1, 2]
    """
    scaled = scale_accumulator(acc, multiplier, shift, profile=profile)
    return saturate(scaled + np.int64(zero_point), qmin, qmax)
