"""Wrong ways to requantize an accumulator by a multiplier that is not normalised."""

from __future__ import annotations

from collections.abc import Callable

from aquant_ref.conformance.faults.arithmetic import F, away, clip, up, wrap
from aquant_ref.conformance.faults.fault import of_alternatives, scalar
from aquant_ref.conformance.faults.requantize import REQUANTIZE, scaled, twice

Scaling = Callable[[int, int, int], int]
SCALED: dict[str, Scaling] = {
    "exact": lambda a, m, n: up(F(a * m, 2**n)),
    "tflite_up": twice(up),
    "tflite_away": twice(away),
}
# Those of `requantize` that no multiplier of 31 bits needs, and the flag that finds each here.
AS_OF_31_BITS = {
    "in float64, half_up": "close_tie",
    "half_even": "tie",
    "half_away": "negative_tie",
    "1/2 added, then divided toward zero": "near_tie",
    "no rounding constant": "tie",
    "rounding constant subtracted below zero": "negative_tie",
    "divided toward zero": "tie",
    "in float32": "wide_accumulator",
    "zero point before rounding": "tie",
    "product in int32": "type_end",
    "accumulator in int24": "wide_accumulator",
    "accumulator saturated to int16": "wide_accumulator",
    "shift off by one": "tie",
    "rounding constant in int32": "type_end",
    "M below 1 only": "above_one",
}


def finished(wrong: Callable[[int, int, int, int], int]) -> Callable[..., int]:
    """A fault in what follows the scaling, whatever the variation."""

    def function(
        acc: int, m: int, n: int, z: int, low: int, high: int, profile: str = "exact"
    ) -> int:
        return wrong(SCALED[profile](acc, m, n), z, low, high)

    return function


def normalised(m: int, n: int) -> tuple[int, int]:
    """The same multiplier with 31 bits."""
    more = 31 - m.bit_length()
    return m << more, n + more


def of_normalised(rounding: Scaling) -> Scaling:
    return lambda a, m, n: rounding(a, *normalised(m, n))


OWN = [
    (
        "clipped before the zero point",
        finished(lambda y, z, low, high: clip(y, low, high) + z),
        "zero_point.clip",
        "range_end",
    ),
    (
        "zero point forgotten",
        finished(lambda y, z, low, high: clip(y, low, high)),
        "zero_point.missing",
        "random",
    ),
    (
        "wrapped",
        finished(lambda y, z, low, high: low + (y + z - low) % (high - low + 1)),
        "clamp.wrap",
        "range_end",
    ),
    (
        "the mantissa normalised, and not the shift",
        scaled(lambda a, m, n: up(F(a * normalised(m, n)[0], 2**n))),
        "multiplier.range",
        "small_multiplier",
    ),
    (
        "the highest bit of the mantissa taken as set",
        scaled(lambda a, m, n: up(F(a * (m | 2**30), 2**n))),
        "multiplier.range",
        "power_of_two",
    ),
    (
        "a multiplier of 1 taken for none",
        scaled(lambda a, m, n: a if m == 1 else up(F(a * m, 2**n))),
        "multiplier.range",
        "small_multiplier",
    ),
    (
        "the multiplier reduced to its upper 16 bits",
        scaled(lambda a, m, n: up(F(a * ((m + 2**15) >> 16) * 2**16, 2**n))),
        "multiplier.reduced",
        "near_tie",
    ),
    (
        "the multiplier as int16",
        scaled(lambda a, m, n: up(F(a * wrap(m, 16), 2**n))),
        "multiplier.reduced",
        "small_multiplier",
    ),
    (
        "powers of two alone",
        scaled(lambda a, m, n: up(F(a * 2 ** (m.bit_length() - 1), 2**n))),
        "multiplier.reduced",
        "near_tie",
    ),
    (
        "the accumulator shifted before the product",
        scaled(lambda a, m, n: up(F((a >> n // 2) * m, 2 ** (n - n // 2)))),
        "round.twice",
        "power_of_two",
    ),
    ("rounded twice, up", scaled(twice(up)), "round.twice", "wide_accumulator"),
    ("rounded twice, away", scaled(twice(away)), "round.twice", "near_tie"),
]
OTHER_PROFILES = [
    (
        "tflite_up",
        "rounded once",
        scaled(SCALED["exact"]),
        "round.twice",
        "near_tie",
    ),
    ("tflite_up", "tflite_away", scaled(twice(away)), "round.rule", "negative_tie"),
    ("tflite_away", "tflite_up", scaled(twice(up)), "round.rule", "negative_tie"),
    (
        "tflite_up",
        "the multiplier normalised first",
        scaled(of_normalised(twice(up))),
        "multiplier.range",
        "near_tie",
    ),
    (
        "tflite_away",
        "the multiplier normalised first",
        scaled(of_normalised(twice(away))),
        "multiplier.range",
        "near_tie",
    ),
]
KNOWN = {row[0]: row for row in REQUANTIZE}
WRONG = [
    *scalar(
        "requantize_any",
        [(*KNOWN[name][:3], flag) for name, flag in AS_OF_31_BITS.items()] + OWN,
    ),
    *of_alternatives("requantize_any", OTHER_PROFILES),
]
