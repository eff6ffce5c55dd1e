"""The inputs of a proof in ascending order: each has a *key*, an integer. Spec: AQ-CONF-7."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.typing import Array, Integers

INFINITY = 0x7F800000  # the pattern of the float32


@dataclass(frozen=True)
class Inputs:
    """A set of inputs: `values` of keys from `low` to `high`, and the key of a number.

    A key of float32 is the pattern of a number that is not negative. For a negative number it is -1
    minus the pattern without its sign, so that -0.0 has -1 and 0.0 has 0.
    """

    name: str
    low: int
    high: int
    values: Callable[[Integers], Array]
    key: Callable[[float], int]


def _floats(keys: Integers) -> Array:
    patterns = np.where(keys >= 0, keys, (-1 - keys) | (1 << 31)).astype(np.uint32)
    return patterns.view(np.float32).astype(np.float64)


def _key_of_float(number: float) -> int:
    try:
        (pattern,) = struct.unpack("<I", struct.pack("<f", number))
    except OverflowError:
        pattern = INFINITY | (1 << 31) * (number < 0)
    return -1 - (pattern & 0x7FFFFFFF) if pattern >> 31 else pattern


def _key_of_integer(number: float) -> int:
    if number != math.floor(number):
        raise InputError(f"range: needs integers, got {number}")
    return int(number)


INTEGERS = Inputs("int32", -(2**31), 2**31 - 1, lambda keys: keys, _key_of_integer)
FLOATS = Inputs("float32", -1 - INFINITY, INFINITY, _floats, _key_of_float)
