"""Wrong ways to requantize an accumulator."""

from __future__ import annotations

import math
from collections.abc import Callable

from aquant_ref.conformance.faults.arithmetic import (
    F,
    away,
    clip,
    even,
    single,
    up,
    width_of,
    wrap,
)
from aquant_ref.conformance.faults.fault import of_alternatives, scalar
from aquant_ref.conformance.faults.rescaling import RESCALED


def scaled(wrong: Callable[[int, int, int], int]) -> Callable[..., int]:
    """A fault in the scaling of the accumulator."""
    return lambda acc, m, n, z, low, high: clip(wrong(acc, m, n) + z, low, high)


def finished(wrong: Callable[[int, int, int, int], int]) -> Callable[..., int]:
    """A fault in what follows the scaling, whatever the variation."""

    def function(
        acc: int, m: int, n: int, z: int, low: int, high: int, profile: str = "exact"
    ) -> int:
        return wrong(RESCALED[profile](F(m, 2**n), z)(acc), z, low, high)

    return function


def twice(
    second: Callable[[F], int], first: Callable[[F], int] = up
) -> Callable[[int, int, int], int]:
    def rounded(acc: int, m: int, n: int) -> int:
        high = first(F(acc * 2 ** max(31 - n, 0) * m, 2**31))
        return second(F(high, 2 ** max(n - 31, 0)))

    return rounded


def in_floats(profile: str, rounding: Callable[[F], int]) -> Callable[[int, int, int], int]:
    """The product of a variation in floating point, rounded in another way."""
    if profile == "float32":
        return lambda a, m, n: rounding(F(single(single(a) * single(m / 2**n))))
    return lambda a, m, n: rounding(F(a * (m / 2**n)))


REQUANTIZE = [
    ("half_even", scaled(lambda a, m, n: even(F(a * m, 2**n))), "round.rule", "tie"),
    ("half_away", scaled(lambda a, m, n: away(F(a * m, 2**n))), "round.rule", "negative_tie"),
    (
        "half down",
        scaled(lambda a, m, n: math.ceil(F(a * m, 2**n) - F(1, 2))),
        "round.rule",
        "tie",
    ),
    (
        "1/2 added, then divided toward zero",
        scaled(lambda a, m, n: int(F(a * m, 2**n) + F(1, 2))),
        "round.truncation",
        "near_tie",
    ),
    ("no rounding constant", scaled(lambda a, m, n: (a * m) >> n), "round.constant", "tie"),
    (
        "rounding constant subtracted below zero",
        scaled(lambda a, m, n: (a * m + (2**n // 2 if a >= 0 else -(2**n // 2))) >> n),
        "round.constant",
        "negative_tie",
    ),
    ("divided toward zero", scaled(lambda a, m, n: int(F(a * m, 2**n))), "round.cast", "tie"),
    ("rounded twice, up", scaled(twice(up)), "round.twice", "near_tie"),
    ("rounded twice, away", scaled(twice(away)), "round.twice", "near_tie"),
    (
        "in float32",
        scaled(in_floats("float32", even)),
        "round.float32",
        "wide_accumulator",
    ),
    (
        "in float64, half_even",
        scaled(in_floats("float64", even)),
        "round.rule",
        "tie",
    ),
    (
        "in float64, half_up",
        scaled(lambda a, m, n: math.floor(a * (m / 2**n) + 0.5)),
        "round.float64",
        "close_tie",
    ),
    (
        "in float64, half_away",
        scaled(lambda a, m, n: int(a * (m / 2**n) + (0.5 if a > 0 else -0.5))),
        "round.float64",
        "close_tie",
    ),
    (
        "zero point before rounding",
        lambda a, m, n, z, low, high: clip(even(F(a * m, 2**n) + z), low, high),
        "zero_point.order",
        "tie",
    ),
    (
        "clipped before the zero point",
        finished(lambda y, z, low, high: clip(y, low, high) + z),
        "zero_point.clip",
        "range_end",
    ),
    (
        "clipped before the zero point and after it",
        finished(lambda y, z, low, high: clip(clip(y, low, high) + z, low, high)),
        "zero_point.clip",
        "range_end",
    ),
    (
        "zero point twice",
        finished(lambda y, z, low, high: clip(y + 2 * z, low, high)),
        "zero_point.offset",
        "range_end",
    ),
    (
        "zero point forgotten",
        finished(lambda y, z, low, high: clip(y, low, high)),
        "zero_point.missing",
        "random",
    ),
    (
        "offset of unsigned codes",
        finished(lambda y, z, low, high: clip(y + z + (128 if low < 0 else 0), low, high)),
        "zero_point.offset",
        "range_end",
    ),
    (
        "ReLU at 0",
        finished(lambda y, z, low, high: clip(y + z, 0 if low == z else low, high)),
        "clamp.relu",
        "relu",
    ),
    (
        "ReLU dropped",
        finished(lambda y, z, low, high: clip(y + z, -(2**15) if low == z else low, high)),
        "clamp.dropped",
        "relu",
    ),
    (
        "ReLU6 ignored",
        finished(
            lambda y, z, low, high: clip(y + z, low, width_of(low, high) if low == z else high)
        ),
        "clamp.dropped",
        "relu6",
    ),
    (
        "2^bits levels and one",
        finished(lambda y, z, low, high: clip(y + z, low, high + 1)),
        "clamp.levels",
        "range_end",
    ),
    (
        "wrapped",
        finished(lambda y, z, low, high: low + (y + z - low) % (high - low + 1)),
        "clamp.wrap",
        "saturation",
    ),
    (
        "product in int32",
        scaled(lambda a, m, n: up(F(wrap(a * m, 32), 2**n))),
        "accumulator.wrap",
        "type_end",
    ),
    (
        "accumulator in int24",
        scaled(lambda a, m, n: up(F(wrap(a, 24) * m, 2**n))),
        "accumulator.narrow",
        "wide_accumulator",
    ),
    (
        "accumulator saturated to int16",
        scaled(lambda a, m, n: up(F(clip(a, -(2**15), 2**15 - 1) * m, 2**n))),
        "accumulator.narrow",
        "wide_accumulator",
    ),
    (
        "shift off by one",
        scaled(lambda a, m, n: up(F(a * m, 2 ** (n + 1)))),
        "multiplier.shift",
        "tie",
    ),
    (
        "shift of 5 bits",
        scaled(lambda a, m, n: up(F(a * m, 2 ** (31 + (n - 31) % 16)))),
        "multiplier.large_shift",
        "large_shift",
    ),
    (
        "shift modulo 32",
        scaled(lambda a, m, n: up(F(a * m, 2 ** (n % 32)))),
        "multiplier.large_shift",
        "large_shift",
    ),
    (
        "0 for shifts above 61",
        scaled(lambda a, m, n: up(F(a * m, 2**n)) if n <= 61 else 0),
        "multiplier.large_shift",
        "last_shift",
    ),
    (
        "no rounding constant for a shift of 31",
        scaled(lambda a, m, n: up(F(a * m, 2**n)) if n != 31 else a * m >> 31),
        "round.constant",
        "tie",
    ),
    (
        "multiplier of 24 bits",
        scaled(lambda a, m, n: up(F(a * (m >> 7 << 7), 2**n))),
        "multiplier.reduced",
        "wide_accumulator",
    ),
    (
        "multiplier of 15 bits",
        scaled(lambda a, m, n: up(F(a * (m >> 16 << 16), 2**n))),
        "multiplier.reduced",
        "near_tie",
    ),
    (
        "rounding constant in int32",
        scaled(lambda a, m, n: (a * m + wrap(2**n // 2, 32)) >> n),
        "multiplier.large_shift",
        "large_shift",
    ),
    (
        "1 << (shift - 1), which a 32-bit shift of -1 makes 1 << 31",
        scaled(lambda a, m, n: (a * m + (1 << (n - 1) if n else -(2**31))) >> n),
        "multiplier.no_shift",
        "no_shift",
    ),
    (
        "M below 1 only",
        scaled(lambda a, m, n: up(F(a * m, 2 ** max(n, 31)))),
        "multiplier.above_one",
        "above_one",
    ),
]


OTHER_PROFILES = [
    (
        "tflite_up",
        "rounded once",
        scaled(lambda a, m, n: up(F(a * m, 2**n))),
        "round.twice",
        "near_tie",
    ),
    ("tflite_away", "tflite_up", scaled(twice(up)), "round.rule", "negative_tie"),
    ("tflite_up", "tflite_away", scaled(twice(away)), "round.rule", "negative_tie"),
    (
        "tflite_up",
        "no constant in the second rounding",
        scaled(twice(math.floor)),
        "round.constant",
        "near_tie",
    ),
    (
        "tflite_away",
        "no constant in the second rounding",
        scaled(twice(math.floor)),
        "round.constant",
        "near_tie",
    ),
    ("tflite_up", "half_away first", scaled(twice(up, away)), "round.rule", "first_tie"),
    ("tflite_away", "half_away both times", scaled(twice(away, away)), "round.rule", "first_tie"),
]

NEAREST: dict[str, Callable[[F], int]] = {
    "ties to even": even,
    "ties up": up,
    "ties away from zero": away,
    "ties down": lambda t: math.ceil(t - F(1, 2)),
    "floored": math.floor,
    "cut toward zero": int,
}
RULE_OF = {"float32": "ties to even", "float64": "ties away from zero"}


# the diagnosis alone knows these
ROUNDINGS = [
    (profile, rule, scaled(in_floats(profile, rounding)), "round.rule", "")
    for profile, own in RULE_OF.items()
    for rule, rounding in NEAREST.items()
    if rule != own
]
FOR_DIAGNOSIS = of_alternatives("requantize", ROUNDINGS)
WRONG = [*scalar("requantize", REQUANTIZE), *of_alternatives("requantize", OTHER_PROFILES)]
