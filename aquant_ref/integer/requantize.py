"""Requantize accumulators in integers: clip(round(acc * multiplier * 2^-shift) + zero_point).

`multiplier` is in [2^30, 2^31); `shift`, in 0..62, is the total right shift. The variations (the
argument `profile`) round at different points. With e = 31 - shift, so that
M = (multiplier/2^31) * 2^e:

| variation | rule | Spec |
|---|---|---|
| `exact` | one rounding of acc*multiplier/2^shift, half_up | AQ-FIXED-2 |
| `tflite_single` | the same, under the name that other projects use | AQ-FIXED-2 |
| `tflite_up` | H = half_up(acc*2^max(e, 0)*multiplier/2^31), half_up(H/2^max(-e, 0)) | AQ-FIXED-3 |
| `tflite_away` | the same H, then half_away(H/2^max(-e, 0)) | AQ-FIXED-4 |

The variations that compute in floating point are in `quant.multiplier`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.checks import word
from aquant_ref.integer.saturate import check_inside, check_int32, check_meet, saturate
from aquant_ref.integer.shift import check_shift, shift_right
from aquant_ref.typing import Codes, Integers

PROFILES = ("exact", "tflite_away", "tflite_up", "tflite_single")
MULTIPLIER_MIN, MULTIPLIER_END = 2**30, 2**31


def scale_accumulator(
    acc: ArrayLike, multiplier: ArrayLike, shift: ArrayLike, *, profile: str = "exact"
) -> Integers:
    """Return acc * multiplier * 2^-shift, rounded to int64, for int32 accumulators.

    Spec: AQ-FIXED-2 to AQ-FIXED-4. The three arrays broadcast, so a multiplier may serve one
    channel or all. Raise InputError for a multiplier outside [2^30, 2^31), a shift outside 0..62,
    an unknown variation, or a left shift (M >= 1) whose result does not fit int32.

    >>> tie = -(2**4)  # times 2^30 / 2^35 is -1/2
    >>> [int(scale_accumulator(tie, 2**30, 35, profile=p)) for p in ("exact", "tflite_away")]
    [0, -1]
    """
    word("profile", profile, PROFILES)
    m = check_inside("multiplier", multiplier, MULTIPLIER_MIN, MULTIPLIER_END - 1)
    n, a = check_shift(shift), check_int32("accumulator", acc)
    check_meet("accumulator, multiplier and shift", a, m, n)
    if profile in ("exact", "tflite_single"):
        return shift_right(a * m, n, rounding="half_up")  # the product is below 2^62
    shifted = check_int32("accumulator << (31 - shift)", a << np.maximum(31 - n, 0))
    high = shift_right(shifted * m, 31, rounding="half_up")
    second = "half_away" if profile == "tflite_away" else "half_up"
    return shift_right(high, np.maximum(n - 31, 0), rounding=second)


def requantize(
    acc: ArrayLike,
    multiplier: ArrayLike,
    shift: ArrayLike,
    *,
    zero_point: ArrayLike = 0,
    qmin: ArrayLike,
    qmax: ArrayLike,
    profile: str = "exact",
) -> Codes:
    """Return the codes clip(round(acc * multiplier * 2^-shift) + zero_point, qmin, qmax), int32.

    Spec: AQ-FIXED-2 to AQ-FIXED-4. All arrays broadcast. For a fused ReLU set qmin = zero_point.
    Raise InputError as `scale_accumulator` does, and for a zero point, qmin or qmax that does not
    fit int32.

    >>> requantize([-3, -1, 1, 3], 2**30, 31, qmin=-8, qmax=7).tolist()
    [-1, 0, 1, 2]
    """
    scaled = scale_accumulator(acc, multiplier, shift, profile=profile)
    zero = check_int32("zero point", zero_point)
    check_meet("zero point", scaled, zero)
    return saturate(scaled + zero, qmin, qmax)
