"""Draw numbers for cases: the same arguments give the same numbers, always and on every machine.

A number is a hash of a key, the case's index, and how many numbers the case has drawn before. There
is no state, so any case can be drawn alone. The hash is SplitMix64's finaliser in wrapping 64-bit
integers; numpy's generators take no part, because their streams may change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.typing import Array

GOLDEN = 0x9E3779B97F4A7C15
SCATTER = 2654435761  # a prime, so that its multiples reach every member of a product of pools


class Draw:
    """Draw for the cases `index` (n,), each the k-th of its family; columns are (n,) arrays.

    >>> a, b = Draw("key", np.arange(5)), Draw("key", np.arange(3, 5))
    >>> a.integers(0, 99)[3:].tolist() == b.integers(0, 99).tolist()
    True
    """

    def __init__(self, key: str, index: Array) -> None:
        self._key = int.from_bytes(sha256(key.encode()).digest()[:8], "little")
        self._index = np.asarray(index).astype(np.uint64)
        self._drawn = 0

    def __len__(self) -> int:
        return len(self._index)

    def alone(self) -> Iterator[CaseRandom]:
        """Yield a source of numbers for each case alone."""
        for index in self._index.tolist():
            yield CaseRandom(f"{self._key} {index}", self._key % SCATTER + index)

    def again(self, attempt: int) -> Draw:
        """Return a source of other numbers for the same cases."""
        return Draw(f"{self._key} again {attempt}", self._index)

    def bits(self) -> Array:
        """Draw 64 bits per case, uint64."""
        self._drawn += 1
        start = (self._key + self._drawn * GOLDEN) % 2**64
        z = (self._index + np.uint64(1)) * np.uint64(GOLDEN) + np.uint64(start)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))

    def integers(self, low: ArrayLike, high: ArrayLike) -> Array:
        """Draw uniformly from low..high, both included, int64; at most 2^63 values."""
        least = np.asarray(low, np.int64)
        width = (np.asarray(high, np.int64) - least).astype(np.uint64) + np.uint64(1)
        return np.asarray(least + (self.bits() % width).astype(np.int64))

    def sized(self, bits: int) -> Array:
        """Draw either sign and any size below 2^bits, small numbers as often as large; int64."""
        size = np.int64(1) << self.integers(0, bits)
        return self.integers(1 - size, size - 1)

    def pick(self, pool: Sequence[Any]) -> Array:
        """Draw any member of the pool."""
        return np.asarray(pool)[self.integers(0, len(pool) - 1)]

    def cross(self, *pools: Sequence[Any]) -> tuple[Array, ...]:
        """Take a member of each pool: all combinations in a scattered order, then again."""
        total = prod(map(len, pools))
        number = (self._index * np.uint64(SCATTER) % np.uint64(total)).astype(np.int64)
        columns = []
        for pool in pools:
            columns.append(np.asarray(pool)[number % len(pool)])
            number = number // len(pool)
        return tuple(columns)

    def unit(self) -> Array:
        """Draw a float64 in [0, 1), a multiple of 2^-53."""
        return np.asarray((self.bits() >> np.uint64(11)) * 2.0**-53)

    def scales(self, low: int = -12, high: int = 2) -> Array:
        """Draw scales in [2^low, 2^(high + 1)) of at most 24 bits (AQ-SNAP-1), float64."""
        return np.ldexp(1 + self.integers(0, 2**23 - 1) * 2.0**-23, self.integers(low, high))


class CaseRandom:
    """Draw for one case: numbers, and tensors of any shape, each from a hash of its own.

    `index` counts the cases of a family, from a number that depends on the selection.

    >>> CaseRandom("key").integers(0, 99, (2, 3)).shape
    (2, 3)
    """

    def __init__(self, key: str, index: int = 0) -> None:
        self._key = key
        self._drawn = 0
        self.index = index

    def _next(self, count: int) -> Draw:
        self._drawn += 1
        return Draw(f"{self._key} {self._drawn}", np.arange(count))

    def integers(self, low: ArrayLike, high: ArrayLike, shape: Sequence[int]) -> Array:
        """Draw uniformly from low..high, both included, int64."""
        return self._next(prod(shape)).integers(low, high).reshape(shape)

    def integer(self, low: int, high: int) -> int:
        """Draw one number in low..high; return low if the range is empty."""
        return int(self._next(1).integers(low, max(low, high))[0])

    def pick(self, pool: Sequence[Any]) -> Any:
        """Draw any member of the pool."""
        return pool[self.integer(0, len(pool) - 1)]

    def turn(self, pool: Sequence[Any]) -> Any:
        """Take the members of the pool in turn, case by case."""
        return pool[self.index % len(pool)]


def nudged(values: Array, towards: ArrayLike) -> Array:
    """Return the neighbouring float64 numbers."""
    return np.asarray(np.nextafter(values, towards))
