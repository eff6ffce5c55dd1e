"""Wrong ways to round a real number."""

from __future__ import annotations

import math
from collections.abc import Callable

from aquant_ref.conformance.faults.arithmetic import RULES, F, away, even, single, up, wrap
from aquant_ref.conformance.faults.fault import scalar


def instead(**replaced: Callable[[float], int]) -> Callable[[str, float], int]:
    """The rounding rules with some of them wrong."""
    return lambda rule, t: {**RULES, **replaced}[rule](t)


ROUND = [
    ("half_even for half_up", instead(half_up=even), "round.rule", "tie"),
    ("half_away for half_up", instead(half_up=away), "round.rule", "negative_tie"),
    ("half_up for half_away", instead(half_away=up), "round.rule", "negative_tie"),
    ("half_up for half_even", instead(half_even=up), "round.rule", "tie"),
    ("half_away for half_even", instead(half_even=away), "round.rule", "tie"),
    ("trunc for floor", instead(floor=math.trunc), "round.truncation", "fraction"),
    ("floor for trunc", instead(trunc=math.floor), "round.rule", "negative_tie"),
    ("floor + 1 for ceil", instead(ceil=lambda t: math.floor(t) + 1), "round.integer", "integer"),
    (
        "1/2 added, then truncated",
        instead(half_up=lambda t: int(F(t) + F(1, 2))),
        "round.truncation",
        "fraction",
    ),
    (
        "1/2 added in float64",
        instead(half_up=lambda t: math.floor(t + 0.5)),
        "round.float_half",
        "near_tie",
    ),
    ("in float32", lambda rule, t: RULES[rule](single(t)), "round.float32", "large"),
    ("cast to int32", lambda rule, t: wrap(RULES[rule](t), 32), "accumulator.wrap", "beyond_int32"),
    ("cast", lambda rule, t: int(t), "round.cast", "fraction"),
]

WRONG = scalar("round", ROUND)
