"""Round real numbers to integers by a named rule.

| rule | -2.5 | -1.5 | -0.5 | 0.5 | 1.5 | 2.5 |
|---|---|---|---|---|---|---|
| `half_even` | -2 | -2 | -0 | 0 | 2 | 2 |
| `half_up` | -2 | -1 | -0 | 1 | 2 | 3 |
| `half_away` | -3 | -2 | -1 | 1 | 2 | 3 |
| `floor` | -3 | -2 | -1 | 0 | 1 | 2 |
| `ceil` | -2 | -1 | -0 | 1 | 2 | 3 |
| `trunc` | -2 | -1 | -0 | 0 | 1 | 2 |

Spec: AQ-ROUND-1. Each function takes a float array of any shape and keeps its dtype. No function
computes t + 1/2: that sum is itself rounded, and turns 0.49999999999999994 into 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.checks import word
from aquant_ref.errors import InputError
from aquant_ref.integer.saturate import check_meet
from aquant_ref.quant.reals import check_reals
from aquant_ref.typing import Reals


def half_up(t: ArrayLike) -> Reals:
    """Round to the nearest integer, ties toward +infinity.

    Spec: AQ-ROUND-1. This is border rounding with B = 1/2.

    >>> half_up([-2.5, -0.5, 0.5, 1.5, 0.49999999999999994]).tolist()
    [-2.0, 0.0, 1.0, 2.0, 0.0]
    """
    values = check_reals("rounded", t)
    return border_round(values, values.dtype.type(0.5))


def half_even(t: ArrayLike) -> Reals:
    """Round to the nearest integer, ties to the even one (IEEE 754, `numpy.rint`, torch.round).

    Spec: AQ-ROUND-1.
    """
    return np.asarray(np.rint(check_reals("rounded", t)))


def half_away(t: ArrayLike) -> Reals:
    """Round to the nearest integer, ties away from zero (C's `round`).

    Spec: AQ-ROUND-1.

    >>> half_away([-2.5, -0.5, 0.5, 2.5]).tolist()
    [-3.0, -1.0, 1.0, 3.0]
    """
    values = check_reals("rounded", t)
    return np.asarray(np.copysign(half_up(np.abs(values)), values))


def floor(t: ArrayLike) -> Reals:
    """Round toward -infinity. Spec: AQ-ROUND-1."""
    return np.asarray(np.floor(check_reals("rounded", t)))


def ceil(t: ArrayLike) -> Reals:
    """Round toward +infinity. Spec: AQ-ROUND-1."""
    return np.asarray(np.ceil(check_reals("rounded", t)))


def trunc(t: ArrayLike) -> Reals:
    """Round toward zero. Spec: AQ-ROUND-1."""
    return np.asarray(np.trunc(check_reals("rounded", t)))


def border_round(t: ArrayLike, border: ArrayLike) -> Reals:
    """Return floor(t - B) + 1: round t up exactly if its fraction reaches the border B in (0, 1].

    Spec: AQ-ROUND-2. `t` and `border` broadcast; the comparison is exact for all float dtypes, and
    integers never change. Raise InputError for a border outside (0, 1].

    >>> border_round([2.0, 2.25, 2.75, -0.25], 0.75).tolist()
    [2.0, 2.0, 3.0, 0.0]
    """
    values, b = check_reals("rounded", t), check_reals("border", border)
    check_meet("border", values, b)
    if not bool(((b > 0) & (b <= 1)).all()):
        raise InputError("border: needs values in (0, 1]")
    promoted = values.astype(np.result_type(values.dtype, b.dtype))
    low = np.floor(promoted)
    with np.errstate(invalid="ignore"):  # infinity has no fraction: inf - inf is NaN, never >= b
        fraction = promoted - low
        # Between -1/2 and 0 the fraction may need more bits than t, and the subtraction rounds it.
        # The rounding error is a float (Dekker's fast two-sum); its sign decides a tie.
        lost = promoted - (low + fraction)
        up = (fraction > b) | ((fraction == b) & (lost >= 0))
    return np.asarray((low + up).astype(values.dtype))


RULES: dict[str, Callable[[ArrayLike], Reals]] = {
    "half_even": half_even,
    "half_up": half_up,
    "half_away": half_away,
    "floor": floor,
    "ceil": ceil,
    "trunc": trunc,
}


def rule(name: str) -> Callable[[ArrayLike], Reals]:
    """Return the rounding function called `name`; raise InputError, which lists all names.

    Spec: AQ-ROUND-1.
    """
    word("rounding", name, RULES)
    return RULES[name]
