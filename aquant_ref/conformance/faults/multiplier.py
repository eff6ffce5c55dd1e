"""Wrong ways to make a multiplier and a shift."""

from __future__ import annotations

import math
from collections.abc import Callable

from aquant_ref.conformance.faults.arithmetic import F, even, single, up
from aquant_ref.conformance.faults.fault import scalar


def mantissa(rounding: Callable[[F], int], m: float) -> tuple[int, int]:
    f, e = math.frexp(m)
    return rounding(F(f) * 2**31), 31 - e


def carried(pair: tuple[int, int]) -> tuple[int, int]:
    return (2**30, pair[1] - 1) if pair[0] == 2**31 else pair


MULTIPLIER = [
    ("no carry", lambda m: mantissa(up, m), "multiplier.carry", "carry"),
    (
        "carry without the shift",
        lambda m: (min(mantissa(up, m)[0], 2**31 - 1), mantissa(up, m)[1]),
        "multiplier.carry",
        "carry",
    ),
    ("truncated", lambda m: mantissa(math.floor, m), "round.cast", "tie"),
    ("half_even", lambda m: carried(mantissa(even, m)), "round.rule", "tie"),
    (
        "from float32",
        lambda m: carried(mantissa(up, single(m))),
        "multiplier.float32",
        "scales",
    ),
    (
        "shift off by one",
        lambda m: (carried(mantissa(up, m))[0], carried(mantissa(up, m))[1] + 1),
        "multiplier.shift",
        "scales",
    ),
    (
        "mantissa of 30 bits",
        lambda m: (carried(mantissa(up, m))[0] // 2, carried(mantissa(up, m))[1] - 1),
        "multiplier.range",
        "power_of_two",
    ),
    (
        "M below 1 only",
        lambda m: (carried(mantissa(up, m))[0], max(carried(mantissa(up, m))[1], 31)),
        "multiplier.above_one",
        "above_one",
    ),
    (
        "shifts cut to 62 before the carry",
        lambda m: carried((mantissa(up, m)[0], min(mantissa(up, m)[1], 62))),
        "multiplier.carry",
        "last_shift",
    ),
    (
        "shift of 5 bits beyond 31",
        lambda m: (carried(mantissa(up, m))[0], 31 + (carried(mantissa(up, m))[1] - 31) % 16),
        "multiplier.large_shift",
        "large_shift",
    ),
]

WRONG = scalar("multiplier", MULTIPLIER)
