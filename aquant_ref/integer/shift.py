"""Right shifts of integers that round, by a named rule.

The usual `(x + 2^(n-1)) >> n` overflows near the end of its type. Here nothing is added before the
shift: the quotient comes first, and the rounding looks at the remainder.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aquant_ref.integer.saturate import check_inside, check_integers, check_meet, check_name

Array = NDArray[Any]

MAX_SHIFT = 62
ROUNDINGS = ("half_even", "half_up", "half_away", "floor", "ceil", "trunc")


def check_shift(shift: ArrayLike) -> Array:
    """`shift` as int64 if it is in 0..62, else InputError.

    Spec: AQ-INT-2.
    """
    return check_inside("shift", shift, 0, MAX_SHIFT)


def shift_right(values: ArrayLike, shift: ArrayLike, *, rounding: str) -> Array:
    """Each value / 2^shift as int64, rounded by the named rule; the two broadcast.

    Spec: AQ-INT-2. Raises InputError for an unknown rule, a shift outside 0..62 or other dtypes.

    >>> shift_right([-3, -1, 1, 3], 1, rounding="half_up").tolist()
    [-1, 0, 1, 2]
    >>> shift_right([-3, -1, 1, 3], 1, rounding="half_away").tolist()
    [-2, -1, 1, 2]
    """
    check_name("rounding", rounding, ROUNDINGS)
    wide, n = check_integers("shifted", values), check_shift(shift)
    check_meet("shift", wide, n)
    quotient = wide >> n  # floor
    remainder = wide - (quotient << n)  # 0 .. 2^n - 1
    if rounding == "floor":
        return quotient
    if rounding == "ceil":
        return np.asarray(quotient + (remainder > 0))
    if rounding == "trunc":
        return np.asarray(quotient + ((remainder > 0) & (wide < 0)))
    tie_goes_up = {
        "half_up": np.True_,
        "half_away": wide >= 0,
        "half_even": (quotient & 1) == 1,
    }[rounding]
    twice, whole = 2 * remainder, np.int64(1) << n
    return np.asarray(quotient + ((twice > whole) | ((twice == whole) & tie_goes_up)))
