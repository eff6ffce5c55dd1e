"""Wrong ways to add two codes in exact numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

from aquant_ref.conformance.faults.arithmetic import F, away, clip, even, single, up
from aquant_ref.conformance.faults.fault import scalar


def summed(wrong: Callable[..., int]) -> Callable[..., int]:
    """From both branches in steps of the output, exact."""

    def function(
        a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int, *ends: int
    ) -> int:
        return wrong(F(sa) * (a - za) / F(s), F(sb) * (b - zb) / F(s), z, *ends)

    return function


ADD = [
    (
        "each branch rounded",
        summed(lambda u, v, z, low, high: clip(up(u) + up(v) + z, low, high)),
        "add.branch_rounded",
        "halves",
    ),
    (
        "each branch clipped",
        summed(
            lambda u, v, z, low, high: clip(
                up(F(min(max(u, low - z), high - z)) + min(max(v, low - z), high - z)) + z,
                low,
                high,
            )
        ),
        "add.branch_clipped",
        "opposite",
    ),
    (
        "ReLU before the add",
        summed(lambda u, v, z, low, high: clip(up(max(u, 0) + max(v, 0)) + z, low, high)),
        "add.relu",
        "relu",
    ),
    (
        "one scale for both",
        lambda a, sa, za, b, sb, zb, s, z, low, high: clip(
            up(F(sa) * (a - za + b - zb) / F(s)) + z, low, high
        ),
        "add.one_scale",
        "random",
    ),
    (
        "half_even",
        summed(lambda u, v, z, low, high: clip(even(u + v) + z, low, high)),
        "round.rule",
        "tie",
    ),
    (
        "half_away",
        summed(lambda u, v, z, low, high: clip(away(u + v) + z, low, high)),
        "round.rule",
        "tie",
    ),
    (
        "zero point before rounding",
        summed(lambda u, v, z, low, high: clip(even(u + v + z), low, high)),
        "zero_point.order",
        "tie",
    ),
    (
        "floor",
        summed(lambda u, v, z, low, high: clip(math.floor(u + v) + z, low, high)),
        "round.cast",
        "near_tie",
    ),
    (
        "zero points of the inputs forgotten",
        lambda a, sa, za, b, sb, zb, s, z, low, high: clip(
            up((F(sa) * a + F(sb) * b) / F(s)) + z, low, high
        ),
        "zero_point.missing",
        "random",
    ),
    (
        "clipped before the zero point",
        summed(lambda u, v, z, low, high: clip(up(u + v), low, high) + z),
        "zero_point.clip",
        "range_end",
    ),
    (
        "wrapped",
        summed(lambda u, v, z, low, high: low + (up(u + v) + z - low) % (high - low + 1)),
        "clamp.wrap",
        "range_end",
    ),
    (
        "ReLU at 0",
        summed(lambda u, v, z, low, high: clip(up(u + v) + z, 0 if low == z else low, high)),
        "clamp.relu",
        "relu",
    ),
    (
        "the ratios of the scales in float64",
        lambda a, sa, za, b, sb, zb, s, z, low, high: clip(
            math.floor((a - za) * (sa / s) + (b - zb) * (sb / s) + 0.5) + z, low, high
        ),
        "round.float64",
        "misjudged_tie",
    ),
    (
        "the quotient in float32",
        summed(lambda u, v, z, low, high: clip(up(single(float(u + v))) + z, low, high)),
        "round.float32",
        "close_tie",
    ),
]

WRONG = scalar("add", ADD)
