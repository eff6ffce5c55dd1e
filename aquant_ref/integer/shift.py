"""Shift integers right and round by a named rule.

The usual `(x + 2^(n-1)) >> n` overflows near the end of its type. Here the quotient comes first;
the remainder then decides the rounding, so nothing is added before the shift.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.checks import word
from aquant_ref.integer.saturate import check_inside, check_integers, check_meet
from aquant_ref.typing import Integers

MAX_SHIFT = 62
ROUNDINGS = ("half_even", "half_up", "half_away", "floor", "ceil", "trunc")


def check_shift(shift: ArrayLike) -> Integers:
    """Return `shift` as int64; raise InputError unless all of it is in 0..62.

    Spec: AQ-INT-2.
    """
    return check_inside("shift", shift, 0, MAX_SHIFT)


def shift_right(values: ArrayLike, shift: ArrayLike, *, rounding: str) -> Integers:
    """Return each value / 2^shift as int64, rounded by the named rule; the two broadcast.

    Spec: AQ-INT-2. Raise InputError for an unknown rule, a shift outside 0..62, or anything but
    integers.

    >>> shift_right([-3, -1, 1, 3], 1, rounding="half_up").tolist()
    [-1, 0, 1, 2]
    >>> shift_right([-3, -1, 1, 3], 1, rounding="half_away").tolist()
    [-2, -1, 1, 2]
    """
    word("rounding", rounding, ROUNDINGS)
    dividend, n = check_integers("shifted", values), check_shift(shift)
    check_meet("shift", dividend, n)
    quotient = dividend >> n  # floor
    remainder = dividend - (quotient << n)  # 0 .. 2^n - 1
    if rounding == "floor":
        return quotient
    if rounding == "ceil":
        return np.asarray(quotient + (remainder > 0))
    if rounding == "trunc":
        return np.asarray(quotient + ((remainder > 0) & (dividend < 0)))
    tie_goes_up = {
        "half_up": np.True_,
        "half_away": dividend >= 0,
        "half_even": (quotient & 1) == 1,
    }[rounding]
    twice, divisor = 2 * remainder, np.int64(1) << n
    return np.asarray(quotient + ((twice > divisor) | ((twice == divisor) & tie_goes_up)))
