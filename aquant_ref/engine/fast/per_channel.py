"""Numbers that the channels of a tensor have, beside that tensor."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def wide(values: Array, shape: tuple[int, ...]) -> Array:
    """Values (..., C) of the channels, ready to meet a tensor of `shape` (N, C, ...).

    Spread over small images: numpy copies what it broadcasts into a buffer wherever a row is
    shorter than that, which makes an operation take twice as long.
    """
    column = values.reshape(*values.shape, *(1,) * (len(shape) - 2))
    if prod(shape[2:]) >= np.getbufsize():
        return column
    spread = np.empty((*values.shape, *shape[2:]), values.dtype)
    spread[...] = column
    return spread
