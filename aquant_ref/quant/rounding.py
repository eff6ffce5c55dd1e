"""Rounding real numbers to integers, each rule by name.

| rule | -2.5 | -1.5 | -0.5 | 0.5 | 1.5 | 2.5 |
|---|---|---|---|---|---|---|
| `half_even` | -2 | -2 | -0 | 0 | 2 | 2 |
| `half_up` | -2 | -1 | -0 | 1 | 2 | 3 |
| `half_away` | -3 | -2 | -1 | 1 | 2 | 3 |
| `floor` | -3 | -2 | -1 | 0 | 1 | 2 |
| `ceil` | -2 | -1 | -0 | 1 | 2 | 3 |
| `trunc` | -2 | -1 | -0 | 0 | 1 | 2 |

Spec: AQ-ROUND-1. All take and give float arrays of any shape and keep the dtype. None adds 1/2 to
its argument: that sum is itself rounded, and takes 0.49999999999999994 up to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aquant_ref.checks import word
from aquant_ref.errors import InputError
from aquant_ref.integer.saturate import check_meet
from aquant_ref.quant.reals import check_reals

Array = NDArray[Any]


def half_up(t: ArrayLike) -> Array:
    """To the nearest integer, ties toward +infinity.

    Spec: AQ-ROUND-1. This is border rounding with B = 1/2.

    >>> half_up([-2.5, -0.5, 0.5, 1.5, 0.49999999999999994]).tolist()
    [-2.0, 0.0, 1.0, 2.0, 0.0]
    """
    values = check_reals("rounded", t)
    return border_round(values, values.dtype.type(0.5))


def half_even(t: ArrayLike) -> Array:
    """To the nearest integer, ties to the even one (IEEE 754, `numpy.rint`, torch.round).

    Spec: AQ-ROUND-1.
    """
    return np.asarray(np.rint(check_reals("rounded", t)))


def half_away(t: ArrayLike) -> Array:
    """To the nearest integer, ties away from zero (C's `round`).

    Spec: AQ-ROUND-1.

    >>> half_away([-2.5, -0.5, 0.5, 2.5]).tolist()
    [-3.0, -1.0, 1.0, 3.0]
    """
    values = check_reals("rounded", t)
    return np.asarray(np.copysign(half_up(np.abs(values)), values))


def floor(t: ArrayLike) -> Array:
    """Toward -infinity. Spec: AQ-ROUND-1."""
    return np.asarray(np.floor(check_reals("rounded", t)))


def ceil(t: ArrayLike) -> Array:
    """Toward +infinity. Spec: AQ-ROUND-1."""
    return np.asarray(np.ceil(check_reals("rounded", t)))


def trunc(t: ArrayLike) -> Array:
    """Toward zero. Spec: AQ-ROUND-1."""
    return np.asarray(np.trunc(check_reals("rounded", t)))


def border_round(t: ArrayLike, border: ArrayLike) -> Array:
    """floor(t - B) + 1: t goes up exactly when its fraction reaches the border B in (0, 1].

    Spec: AQ-ROUND-2. `t` and `border` broadcast; the comparison is exact, whatever their float
    dtypes. Every integer is a fixed point. Raises InputError for a border outside (0, 1].

    >>> border_round([2.0, 2.25, 2.75, -0.25], 0.75).tolist()
    [2.0, 2.0, 3.0, 0.0]
    """
    values, b = check_reals("rounded", t), check_reals("border", border)
    check_meet("border", values, b)
    if not bool(((b > 0) & (b <= 1)).all()):
        raise InputError("border: needs values in (0, 1]")
    wide = values.astype(np.result_type(values.dtype, b.dtype))
    low = np.floor(wide)
    with np.errstate(invalid="ignore"):  # infinity has no fraction: inf - inf is NaN, never >= b
        fraction = wide - low
        # Between -1/2 and 0 the fraction needs more bits than t and that difference is rounded.
        # What it lost is a float again (Dekker's fast two-sum), and its sign settles the tie.
        lost = wide - (low + fraction)
        up = (fraction > b) | ((fraction == b) & (lost >= 0))
    return np.asarray((low + up).astype(values.dtype))


RULES: dict[str, Callable[[ArrayLike], Array]] = {
    "half_even": half_even,
    "half_up": half_up,
    "half_away": half_away,
    "floor": floor,
    "ceil": ceil,
    "trunc": trunc,
}


def rule(name: str) -> Callable[[ArrayLike], Array]:
    """The rounding called `name`. Spec: AQ-ROUND-1. Raises InputError, which lists the names."""
    word("rounding", name, RULES)
    return RULES[name]
