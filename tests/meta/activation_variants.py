"""Ranges of a fused activation, written in other ways: none of them may be accused."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction

import numpy as np

from aquant_ref.conformance.faults.activation_range import SIXES, ranged
from aquant_ref.conformance.faults.written import Written


def by_counting(activation: str, s: float, z: int, low: int, high: int) -> tuple[int, int]:
    """The largest code whose lower end 6 reaches."""
    step = Fraction(s)
    codes = range(low, high + 1)
    reached = bisect_right(codes, Fraction(6), key=lambda q: (q - z - Fraction(1, 2)) * step)
    top = low + max(reached - 1, 0)
    first = low if activation == "none" else min(max(z, low), high)
    return first, top if activation == "relu6" else high


def in_numpy(profile: str) -> Written:
    """With the float32 of numpy."""

    def six(s: float, z: int) -> int:
        with np.errstate(all="ignore"):
            t, step = np.float32(6), np.float32(s)
            t = t * (np.float32(1) / step) if profile == "torch" else t / step
            if profile == "tflite":
                return int(np.trunc(np.float64(t) + 0.5)) + z
            return int(np.rint(t + np.float32(z)))

    return Written("activation_range", f"{profile}, in numpy", ranged(six), profile)


VARIANTS = [
    Written("activation_range", "by counting", by_counting, "core-int"),
    *(in_numpy(profile) for profile in SIXES if profile),
    *(
        Written("activation_range", f"{profile}, through bytes", ranged(six), profile)
        for profile, six in SIXES.items()
        if profile
    ),
]
