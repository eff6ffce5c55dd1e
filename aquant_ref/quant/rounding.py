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

from aquant_ref.errors import InputError

Array = NDArray[Any]


def _fraction(t: Array, low: Array) -> Array:
    """T - floor(t), exact but for tiny negative t, where it stays below 1 as the true one does."""
    below_one = np.nextafter(t.dtype.type(1), t.dtype.type(0))
    return np.asarray(np.minimum(t - low, below_one))


def half_up(t: ArrayLike) -> Array:
    """To the nearest integer, ties toward +infinity.

    Spec: AQ-ROUND-1. This is border rounding with B = 1/2.

    >>> half_up([-2.5, -0.5, 0.5, 1.5, 0.49999999999999994]).tolist()
    [-2.0, 0.0, 1.0, 2.0, 0.0]
    """
    return border_round(t, 0.5)


def half_even(t: ArrayLike) -> Array:
    """To the nearest integer, ties to the even one (IEEE 754, `numpy.rint`, torch.round).

    Spec: AQ-ROUND-1.
    """
    return np.asarray(np.rint(np.asarray(t, _float(t))))


def half_away(t: ArrayLike) -> Array:
    """To the nearest integer, ties away from zero (C's `round`).

    Spec: AQ-ROUND-1.

    >>> half_away([-2.5, -0.5, 0.5, 2.5]).tolist()
    [-3.0, -1.0, 1.0, 3.0]
    """
    values = np.asarray(t, _float(t))
    return np.asarray(np.copysign(half_up(np.abs(values)), values))


def floor(t: ArrayLike) -> Array:
    """Toward -infinity. Spec: AQ-ROUND-1."""
    return np.asarray(np.floor(np.asarray(t, _float(t))))


def ceil(t: ArrayLike) -> Array:
    """Toward +infinity. Spec: AQ-ROUND-1."""
    return np.asarray(np.ceil(np.asarray(t, _float(t))))


def trunc(t: ArrayLike) -> Array:
    """Toward zero. Spec: AQ-ROUND-1."""
    return np.asarray(np.trunc(np.asarray(t, _float(t))))


def border_round(t: ArrayLike, border: ArrayLike) -> Array:
    """floor(t - B) + 1: t goes up exactly when its fraction reaches the border B in (0, 1].

    Spec: AQ-ROUND-2. `t` and `border` broadcast. Every integer is a fixed point. Raises InputError
    for a border outside (0, 1].

    >>> border_round([2.0, 2.25, 2.75], 0.75).tolist()
    [2.0, 2.0, 3.0]
    """
    values = np.asarray(t, _float(t))
    b = np.asarray(border)
    if not bool(((b > 0) & (b <= 1)).all()):
        raise InputError("border: needs values in (0, 1]")
    low = np.floor(values)
    with np.errstate(invalid="ignore"):  # infinity has no fraction: inf - inf is NaN, not >= b
        return np.asarray(low + (_fraction(values, low) >= b))


def _float(t: ArrayLike) -> Any:
    dtype = np.asarray(t).dtype
    return dtype if dtype.kind == "f" else np.float64


RULES: dict[str, Callable[[ArrayLike], Array]] = {
    "half_even": half_even,
    "half_up": half_up,
    "half_away": half_away,
    "floor": floor,
    "ceil": ceil,
    "trunc": trunc,
}


def rule(name: str) -> Callable[[ArrayLike], Array]:
    """The rounding called `name`; raises InputError, which lists the names."""
    if name not in RULES:
        raise InputError(f"rounding: there is no {name!r}; there are {', '.join(RULES)}")
    return RULES[name]
