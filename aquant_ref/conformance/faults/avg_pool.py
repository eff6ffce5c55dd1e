"""Wrong ways to average codes in exact numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

from aquant_ref.conformance.faults.arithmetic import F, away, clip, even, single, up, wrap
from aquant_ref.conformance.faults.fault import scalar


def averaged(wrong: Callable[..., int]) -> Callable[..., int]:
    """From the mean in steps of the output, exact."""

    def function(t: int, n: int, sx: float, zx: int, s: float, z: int, *ends: int) -> int:
        return wrong(F(sx) * (F(t, n) - zx) / F(s), z, *ends)

    return function


def of_parts(wrong: Callable[..., F]) -> Callable[..., int]:
    """From the sum and the count, to the mean in steps of the input."""

    def function(t: int, n: int, sx: float, zx: int, s: float, z: int, low: int, high: int) -> int:
        return clip(up(F(sx) * wrong(t, n, zx) / F(s)) + z, low, high)

    return function


AVG_POOL = [
    (
        "floor",
        averaged(lambda y, z, low, high: clip(math.floor(y) + z, low, high)),
        "pool.floor",
        "odd_count",
    ),
    (
        "toward zero",
        averaged(lambda y, z, low, high: clip(int(y) + z, low, high)),
        "pool.floor",
        "odd_count",
    ),
    (
        "half_even",
        averaged(lambda y, z, low, high: clip(even(y) + z, low, high)),
        "round.rule",
        "tie",
    ),
    (
        "half_away",
        averaged(lambda y, z, low, high: clip(away(y) + z, low, high)),
        "round.rule",
        "tie",
    ),
    (
        "zero point before rounding",
        averaged(lambda y, z, low, high: clip(even(y + z), low, high)),
        "zero_point.order",
        "tie",
    ),
    (
        "1/count with 8 bits",
        of_parts(lambda t, n, zx: F((t - n * zx) * (256 // n), 256)),
        "pool.reciprocal",
        "odd_count",
    ),
    (
        "1/count with 16 bits",
        of_parts(lambda t, n, zx: F((t - n * zx) * (65536 // n), 65536)),
        "pool.reciprocal",
        "odd_count",
    ),
    (
        "mean rounded before it is rescaled",
        of_parts(lambda t, n, zx: F(up(F(t, n)) - zx)),
        "round.twice",
        "near_tie",
    ),
    ("one position too many", of_parts(lambda t, n, zx: F(t - n * zx, n + 1)), "pool.count", "tie"),
    (
        "zero point of the input forgotten",
        of_parts(lambda t, n, zx: F(t, n)),
        "zero_point.missing",
        "random",
    ),
    (
        "zero point taken off once, not count times",
        of_parts(lambda t, n, zx: F(t - zx, n)),
        "pool.count",
        "random",
    ),
    (
        "scales of input and output taken to be one",
        lambda t, n, sx, zx, s, z, low, high: clip(up(F(t, n) - zx) + z, low, high),
        "add.one_scale",
        "random",
    ),
    (
        "wrapped",
        averaged(lambda y, z, low, high: low + (up(y) + z - low) % (high - low + 1)),
        "clamp.wrap",
        "range_end",
    ),
    (
        "sum in int16",
        lambda t, n, sx, zx, s, z, low, high: clip(
            up(F(sx) * F(wrap(t, 16) - n * zx, n) / F(s)) + z, low, high
        ),
        "accumulator.narrow",
        "range_end",
    ),
    (
        "ReLU at 0",
        averaged(lambda y, z, low, high: clip(up(y) + z, 0 if low == z else low, high)),
        "clamp.relu",
        "relu",
    ),
    (
        "the mean in float64, then the zero point",
        lambda t, n, sx, zx, s, z, low, high: clip(
            math.floor(sx * (t / n - zx) / s + 0.5) + z, low, high
        ),
        "round.float64",
        "misjudged_tie",
    ),
    (
        "the quotient in float32",
        averaged(lambda y, z, low, high: clip(up(single(float(y))) + z, low, high)),
        "round.float32",
        "close_tie",
    ),
    (
        "the sum in float32",
        of_parts(lambda t, n, zx: F(single(t - n * zx)) / n),
        "round.float32",
        "large_sum",
    ),
]

WRONG = scalar("avg_pool", AVG_POOL)
