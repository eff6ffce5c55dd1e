"""Right shifts of integers that round, by a named rule. The operand is never changed by an add that
could overflow: the quotient comes first, the rounding looks at the remainder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.integer.saturate import check_integers

Array = NDArray[Any]

MAX_SHIFT = 62
ROUNDINGS = ("half_even", "half_up", "half_away", "floor", "ceil", "trunc")


def shift_right(values: Array, shift: int, *, rounding: str) -> Array:
    """Values / 2^shift as int64, rounded by the named rule; shift in 0..62.

    Spec: AQ-INT-2. Raises InputError for an unknown rule, a shift out of range or other dtypes.

    >>> shift_right(np.array([-3, -1, 1, 3]), 1, rounding="half_up").tolist()
    [-1, 0, 1, 2]
    >>> shift_right(np.array([-3, -1, 1, 3]), 1, rounding="half_away").tolist()
    [-2, -1, 1, 2]
    """
    if not 0 <= shift <= MAX_SHIFT:
        raise InputError(f"shift: needs 0 to {MAX_SHIFT}, got {shift}")
    wide = check_integers("shift", values)
    quotient = wide >> shift  # floor
    remainder = wide - (quotient << shift)  # 0 .. 2^shift - 1
    half = (1 << shift) >> 1
    if rounding == "floor":
        return quotient
    if rounding == "ceil":
        return np.asarray(quotient + (remainder > 0))
    if rounding == "trunc":
        return np.asarray(quotient + ((remainder > 0) & (wide < 0)))
    if rounding not in ROUNDINGS:
        raise InputError(f"rounding: there is no {rounding!r}; there are {', '.join(ROUNDINGS)}")
    if shift == 0:
        return quotient
    tie_goes_up = {
        "half_up": np.ones(wide.shape, np.bool_),
        "half_away": wide >= 0,
        "half_even": (quotient & 1) == 1,
    }[rounding]
    return np.asarray(quotient + ((remainder > half) | ((remainder == half) & tie_goes_up)))
