"""Accumulators to codes where there are many thresholds: a table in place of a search.

The accumulators between a channel's first and last threshold are cut into buckets of 2^shift. A
table has for each bucket the code of its first accumulator, and, where a threshold lies further
inside, that one: one look-up and one comparison, instead of a search of eight steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aquant_ref.engine.fast.per_channel import per_channel
from aquant_ref.engine.instruction import Bounds, code_type
from aquant_ref.typing import Codes, Integers

MOST_BUCKETS = 1 << 13  # of a channel, so that the tables stay in cache


@dataclass(frozen=True)
class ThresholdTable:
    """The thresholds of C channels as tables of B buckets a channel.

    `below` and `last` (C,) are the accumulator before the first threshold and the last threshold;
    `origin` (C,) is where in the tables a channel begins. `code` and `inside` (C*B,): the code of a
    bucket's first accumulator, and how far above `below` the threshold inside is.
    """

    below: Integers
    last: Integers
    shift: Integers
    origin: Integers
    code: Integers
    inside: Integers

    @classmethod
    def of(cls, thresholds: Integers, least: int, bound: Bounds) -> ThresholdTable | None:
        """Tabulate sorted `thresholds` (C, n), int32 or int64, for accumulators in `bound`.

        None where two of a channel are too close to each other, or its last too far from its first,
        for tables of this size; or where the distance leaves the type.
        """
        channels, count = thresholds.shape
        dtype, never = thresholds.dtype, int(np.iinfo(thresholds.dtype).max)
        below, last, above = [], [], []
        for row, low, high in zip(thresholds.tolist(), *(b.tolist() for b in bound), strict=True):
            # those before are always reached, later ones never
            reachable = [t for t in row if low < t <= high]
            below.append(reachable[0] - 1 if reachable else low)
            last.append(reachable[-1] if reachable else low)
            above.append([t - below[-1] for t in reachable])
        shifts = [_shift(each) for each in above]
        if None in shifts or max(max(each, default=0) for each in above) >= never:
            return None
        shift = np.array(shifts, dtype)
        buckets = (
            max(max(a, default=0) >> s for a, s in zip(above, shift.tolist(), strict=True)) + 1
        )
        code = np.empty((channels, buckets), code_type(least, least + count))
        inside = np.empty((channels, buckets), dtype)
        for channel, steps in enumerate(above):
            starts = np.arange(buckets) << shift[channel]
            reached = np.searchsorted(np.array(steps, dtype), starts, side="right")
            before = int((thresholds[channel] <= below[channel]).sum())
            code[channel] = reached + (before + least)
            inside[channel] = np.array([*steps, never], dtype)[reached]
        origin = (np.arange(channels) * buckets).astype(dtype)
        ends = np.array(below, dtype), np.array(last, dtype)
        return cls(*ends, shift, origin, code.reshape(-1), inside.reshape(-1))

    def codes(self, acc: Integers) -> Codes:
        """Turn accumulators (N, C, ...) into codes. Spec: AQ-LOWER-1."""
        below, last, shift, origin = (
            per_channel(each, acc.shape)
            for each in (self.below, self.last, self.shift, self.origin)
        )
        above = np.clip(acc, below, last)
        above -= below
        bucket = above >> shift
        bucket += origin
        codes = self.code.take(bucket)
        codes += above >= self.inside.take(bucket)
        return codes


def _shift(above: list[int]) -> int | None:
    """Find the largest shift with at most one threshold inside a bucket; None if none is small.

    `above` are the thresholds, counted from `below`. One at a bucket's start is not inside it.
    """
    last = max(above, default=0)
    for shift in range(last.bit_length(), -1, -1):
        if last >> shift >= MOST_BUCKETS:
            return None
        inside = [t >> shift for t in above if t & ((1 << shift) - 1)]
        if len(set(inside)) == len(inside):
            return shift
    return None
