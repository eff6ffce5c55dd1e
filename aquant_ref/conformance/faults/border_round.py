"""Wrong ways to round at a border."""

from __future__ import annotations

import math
from collections.abc import Callable

from aquant_ref.conformance.faults.arithmetic import F, single, wrap
from aquant_ref.conformance.faults.fault import scalar


def border(
    above: Callable[[float, float, float], bool] = lambda rest, b, t: rest >= b,
) -> Callable[[float, float], int]:
    """Up where `above` says so, with the exact fraction."""
    return lambda t, b: math.floor(t) + above(float(F(t) - math.floor(t)), b, t)


def rounded(t: float, b: float) -> int:
    return math.floor(t) + (F(t) - math.floor(t) >= F(b))


BORDER_ROUND = [
    ("> for >=", border(lambda rest, b, t: rest > b), "border.strict", "at_border"),
    ("no border", border(lambda rest, b, t: rest >= 0.5), "border.half", "random"),
    ("1 - border", border(lambda rest, b, t: rest >= 1 - b), "border.half", "random"),
    (
        "floor(t - b) + 1 in float64",
        lambda t, b: math.floor(t - b) + 1,
        "round.float_half",
        "below_integer",
    ),
    (
        "fraction toward zero",
        lambda t, b: int(t) + (t - int(t) >= b),
        "round.truncation",
        "random",
    ),
    (
        "compared in float32",
        border(lambda rest, b, t: single(rest) >= single(b)),
        "round.float32",
        "below_border",
    ),
    (
        "border kept below 1",
        border(lambda rest, b, t: rest >= min(b, 0.99)),
        "border.clip",
        "border_of_one",
    ),
    (
        "integers go up",
        border(lambda rest, b, t: rest >= b or rest == 0),
        "round.integer",
        "integer",
    ),
    (
        "border of 8 bits",
        border(lambda rest, b, t: rest >= max(1, int(b * 256)) / 256),
        "border.coefficients",
        "below_border",
    ),
    ("the result in int32", lambda t, b: wrap(rounded(t, b), 32), "accumulator.wrap", "large"),
    ("the result in float32", lambda t, b: int(single(rounded(t, b))), "round.float32", "large"),
]

WRONG = scalar("border_round", BORDER_ROUND)
