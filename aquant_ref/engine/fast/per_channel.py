"""Broadcast per-channel values against an NCHW tensor."""

from __future__ import annotations

from math import prod

import numpy as np

from aquant_ref.typing import Integers


def per_channel(values: Integers, shape: tuple[int, ...]) -> Integers:
    """Shape values (..., C) of the channels to broadcast against a tensor of `shape` (N, C, ...).

    They are repeated over small images: numpy copies what it broadcasts into a buffer wherever a
    row is shorter than that, which makes an operation take twice as long.
    """
    column = values.reshape(*values.shape, *(1,) * (len(shape) - 2))
    if prod(shape[2:]) >= np.getbufsize():
        return column
    spread = np.empty((*values.shape, *shape[2:]), values.dtype)
    spread[...] = column
    return spread
