"""Place the cases of an operation on numbers in the array that is asked: hard ones everywhere.

A kernel that computes 8 to 64 numbers at once may be wrong in one lane of its registers, or after
the last whole register. So cases are asked several times in one array, whose length is no multiple
of 8. Ids do not depend on places.
"""

from __future__ import annotations

from math import gcd

import numpy as np

from aquant_ref.typing import Array

WIDEST = 64  # lanes
TAIL = 7  # elements after the last whole register of 8
REPEATS = 64  # of stored cases: so each meets every lane


def places(count: int, turn: int, repeats: int) -> Array:
    """Return which of `count` cases is asked at each place of the `turn`-th array.

    Each comes once, in order. Then an odd number of cases comes round and round, so that each meets
    another lane every time. The array ends 63 elements after a whole register of 64. Cases that are
    repeated follow one another, so that families take turns in the last 7 elements; those that come
    only once more are spread. Spec: AQ-CONF-12.

    >>> places(3, 1, 64)[-TAIL:].tolist()
    [1, 2, 0, 1, 2, 0, 1]
    """
    odd = count | 1
    registers = -(-(repeats * odd + count) // WIDEST)
    again = np.arange(registers * WIDEST + WIDEST - 1 - count)
    step = 1 if repeats > 1 else _spread(odd)
    order = (again - len(again) + TAIL * (turn + 1)) * step % odd % count
    return np.concatenate([np.arange(count), order])


def rotated(count: int, turn: int) -> Array:
    """Return which of `count` cases is asked at each place of the `turn`-th array, each once."""
    return (np.arange(count) + TAIL * turn) % max(count, 1)


def tails(count: int) -> list[Array]:
    """Return arrays of 15 of `count` cases, so that each is once among the last 7."""
    starts = range(0, count, TAIL)
    return [np.arange(start - TAIL - 1, start + TAIL) % count for start in starts]


def _spread(odd: int) -> int:
    """Return a step near the golden section that has no divisor in common with `odd`."""
    step = max(1, int(odd * 0.618))
    while gcd(step, odd) > 1:
        step -= 1
    return step
