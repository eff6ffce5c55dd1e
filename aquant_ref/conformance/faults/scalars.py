"""Wrong implementations, one for each way in which real projects have gone wrong.

Each is written as somebody would write it who believes it to be right. `defect` is its class in
`aquant_ref.conformance.faults`, `flag` the kind of case that has to find it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from aquant_ref.conformance.faults.written import Written

F = Fraction


@dataclass(frozen=True)
class Mutant(Written):
    """Hold one wrong implementation."""

    defect: str = ""
    flag: str = ""


def clip(q: float, low: float, high: float) -> int:
    return int(min(max(q, low), high))


def up(t: Fraction | float) -> int:
    """Exact, for any number."""
    return math.floor(F(t) + F(1, 2))


def even(t: Fraction | float) -> int:
    return round(F(t))


def away(t: Fraction | float) -> int:
    return up(t) if t >= 0 else -up(-t)


def wrap(v: int, bits: int) -> int:
    """Two's complement of so many bits."""
    return (int(v) + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def single(v: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(v))


RULES: dict[str, Callable[[Fraction | float], int]] = {
    "half_even": even,
    "half_up": up,
    "half_away": away,
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
}


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


def border(
    above: Callable[[float, float, float], bool] = lambda rest, b, t: rest >= b,
) -> Callable[[float, float], int]:
    """Up where `above` says so, with the exact fraction."""
    return lambda t, b: math.floor(t) + above(float(F(t) - math.floor(t)), b, t)


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
]


def fixed(
    wrong: Callable[[int, int, int], int] = lambda v, m, n: (v * m) >> n,
    *,
    up: Callable[[int, int, int], bool] = lambda rest, lift, p: rest > 0 and lift >= p,
    steps: Callable[[int, int], int] = lambda t, f: t,
    clipped: bool = True,
    floor: Callable[[int, int], tuple[int, int]] = divmod,
    zero: int = 1,
) -> Callable[..., int]:
    """The border in integers; `wrong` multiplies and shifts, `steps` is what tau is taken of."""

    def function(t: int, low: int, high: int, f: int, m: int, n: int, *rest: int) -> int:
        c0, c1, c2, lift, z = rest
        inside = clip(t, low, high)
        tau = (steps(inside if clipped else t, f) * m) >> n
        p = wrong(wrong(c2, tau, 15) + c1, tau, 15) + c0
        whole, fraction = floor(inside, 1 << f)
        return whole + zero * z + up(fraction, lift, p)

    return function


def toward_zero(v: int, size: int) -> tuple[int, int]:
    whole = int(F(v, size))
    return whole, abs(v - whole * size)


BORDER = [
    ("> for >=", fixed(up=lambda rest, lift, p: rest > 0 and lift > p), "border.strict", "at_lift"),
    (
        "no polynomial",
        fixed(up=lambda rest, lift, p: rest > 0 and lift >= 0),
        "border.half",
        "at_lift",
    ),
    (
        "its complement",
        fixed(up=lambda rest, lift, p: rest > 0 and lift >= -p),
        "border.half",
        "random",
    ),
    (
        "products toward zero",
        fixed(lambda v, m, n: int(F(v * m, 2**n))),
        "border.coefficients",
        "below_lift",
    ),
    (
        "products rounded",
        fixed(lambda v, m, n: up(F(v * m, 2**n))),
        "border.coefficients",
        "at_lift",
    ),
    (
        "products in int32",
        fixed(lambda v, m, n: wrap(v * m, 32) >> n),
        "accumulator.wrap",
        "large_products",
    ),
    (
        "products in float32",
        fixed(lambda v, m, n: math.floor(single(single(v) * single(m)) / 2**n)),
        "round.float32",
        "large_products",
    ),
    ("tau of T before the clip", fixed(clipped=False), "border.clip", "outside"),
    ("tau of the code", fixed(steps=lambda t, f: t >> f << f), "border.argument", "at_lift"),
    ("tau of the fraction", fixed(steps=lambda t, f: t % (1 << f)), "border.argument", "at_lift"),
    ("floor toward zero", fixed(floor=toward_zero), "round.truncation", "random"),
    ("zero point forgotten", fixed(zero=0), "zero_point.missing", "whole"),
    (
        "whole T goes up",
        fixed(up=lambda rest, lift, p: rest == 0 or lift >= p),
        "round.integer",
        "whole",
    ),
]


def code(rule: str, t: Fraction | float, z: int, low: int, high: int) -> int:
    if isinstance(t, float) and math.isinf(t):
        return high if t > 0 else low
    return clip(RULES[rule](t) + z, low, high)


def quotient(r: float, s: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float64(r) / np.float64(s))


def quantized(wrong: Callable[..., int]) -> Callable[..., int]:
    """A fault in what follows the division; infinities are left to the right code."""

    def function(rule: str, r: float, s: float, z: int, low: int, high: int) -> int:
        t = quotient(r, s)
        if math.isinf(t):
            return code(rule, t, z, low, high)
        return wrong(rule, t, z, low, high)

    return function


def width_of(low: int, high: int) -> int:
    """The number of codes of the narrowest type with this range, but at least 4."""
    return int(2 ** max(2, math.ceil(math.log2(max(abs(high) + 1, abs(low), 1) * (1 + (low < 0))))))


QUANTIZE = [
    (
        "reciprocal",
        lambda rule, r, s, z, low, high: (
            code(rule, r * (1 / s), z, low, high)
            if s > 1e-300
            else code(rule, quotient(r, s), z, low, high)
        ),
        "round.reciprocal",
        "quotient_tie",
    ),
    (
        "in float32",
        lambda rule, r, s, z, low, high: code(rule, quotient(single(r), s), z, low, high),
        "round.float32",
        "near_tie",
    ),
    (
        "zero point before rounding",
        quantized(lambda rule, t, z, low, high: clip(RULES[rule](F(t) + z), low, high)),
        "zero_point.order",
        "tie",
    ),
    (
        "clipped before the zero point",
        quantized(lambda rule, t, z, low, high: clip(RULES[rule](t), low, high) + z),
        "zero_point.clip",
        "range_end",
    ),
    (
        "ReLU at 0",
        quantized(
            lambda rule, t, z, low, high: clip(RULES[rule](t) + z, 0 if low == z else low, high)
        ),
        "clamp.relu",
        "relu",
    ),
    (
        "ReLU dropped",
        quantized(
            lambda rule, t, z, low, high: clip(
                RULES[rule](t) + z, -(2**15) if low == z else low, high
            )
        ),
        "clamp.dropped",
        "relu",
    ),
    (
        "ReLU6 ignored",
        quantized(
            lambda rule, t, z, low, high: clip(
                RULES[rule](t) + z, low, width_of(low, high) - 1 if low == z else high
            )
        ),
        "clamp.dropped",
        "relu6",
    ),
    (
        "2^bits levels and one",
        quantized(lambda rule, t, z, low, high: clip(RULES[rule](t) + z, low, high + 1)),
        "clamp.levels",
        "range_end",
    ),
    (
        "symmetric, the lowest code left out",
        quantized(lambda rule, t, z, low, high: clip(RULES[rule](t) + z, max(low, -high), high)),
        "clamp.levels",
        "range_end",
    ),
    (
        "wrapped",
        quantized(
            lambda rule, t, z, low, high: low + (RULES[rule](t) + z - low) % (high - low + 1)
        ),
        "clamp.wrap",
        "saturation",
    ),
    (
        "through int32",
        quantized(lambda rule, t, z, low, high: clip(wrap(RULES[rule](t), 32) + z, low, high)),
        "accumulator.wrap",
        "beyond_int32",
    ),
    (
        "cast without rounding",
        quantized(lambda rule, t, z, low, high: clip(int(t) + z, low, high)),
        "round.cast",
        "tie",
    ),
    (
        "1/2 added in float64",
        quantized(
            lambda rule, t, z, low, high: clip(
                (math.floor(t + 0.5) if rule == "half_up" else RULES[rule](t)) + z, low, high
            )
        ),
        "round.float_half",
        "near_tie",
    ),
    (
        "zero point forgotten",
        quantized(lambda rule, t, z, low, high: clip(RULES[rule](t), low, high)),
        "zero_point.missing",
        "random",
    ),
    (
        "zero point subtracted",
        quantized(lambda rule, t, z, low, high: clip(RULES[rule](t) - z, low, high)),
        "zero_point.missing",
        "random",
    ),
    (
        "signed codes stored with the offset of unsigned ones",
        quantized(
            lambda rule, t, z, low, high: clip(
                RULES[rule](t) + z + (-low if low < 0 and low != z else 0), low, high
            )
        ),
        "zero_point.offset",
        "random",
    ),
]

DEQUANTIZE = [
    ("zero point forgotten", lambda q, s, z: q * s, "zero_point.missing", "zero"),
    ("zero point added", lambda q, s, z: (q + z) * s, "zero_point.missing", "zero"),
    ("in float32", lambda q, s, z: single((q - z) * single(s)), "round.float32", "inexact"),
    ("s*q - s*z", lambda q, s, z: q * s - z * s, "zero_point.order", "inexact"),
    (
        "difference in int16",
        lambda q, s, z: wrap(q - z, 16) * s,
        "accumulator.narrow",
        "range_end",
    ),
    (
        "divided by 1/s",
        lambda q, s, z: (q - z) / (1 / s) if s > 1e-300 else (q - z) * s,
        "round.reciprocal",
        "inexact",
    ),
]


def mantissa(rounding: Callable[[Fraction], int], m: float) -> tuple[int, int]:
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


def scaled(wrong: Callable[[int, int, int], int]) -> Callable[..., int]:
    """A fault in the scaling of the accumulator."""
    return lambda acc, m, n, z, low, high: clip(wrong(acc, m, n) + z, low, high)


def finished(wrong: Callable[[int, int, int, int], int]) -> Callable[..., int]:
    """A fault in what follows the scaling."""
    return lambda acc, m, n, z, low, high: wrong(up(F(acc * m, 2**n)), z, low, high)


def twice(second: Callable[[Fraction], int]) -> Callable[[int, int, int], int]:
    def rounded(acc: int, m: int, n: int) -> int:
        high = up(F(acc * 2 ** max(31 - n, 0) * m, 2**31))
        return second(F(high, 2 ** max(n - 31, 0)))

    return rounded


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
        scaled(lambda a, m, n: even(single(single(a) * single(m / 2**n)))),
        "round.float32",
        "wide_accumulator",
    ),
    (
        "in float64, half_even",
        scaled(lambda a, m, n: round(a * (m / 2**n))),
        "round.rule",
        "tie",
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
]

NEVER = 2**62


def cut(t: int) -> int:
    return clip(t, -(2**31), 2**31 - 1)


THRESHOLD = [
    ("> for >=", lambda a, *t: sum(a > v for v in t), "border.strict", "at_threshold"),
    (
        "thresholds cut to int32",
        lambda a, *t: sum(a >= cut(v) for v in t),
        "threshold.never",
        "never",
    ),
    (
        "thresholds wrap in int32",
        lambda a, *t: sum(a >= wrap(v, 32) for v in t),
        "threshold.never",
        "never",
    ),
    (
        "compared in float32",
        lambda a, *t: sum(single(a) >= single(v) for v in t),
        "round.float32",
        "below_threshold",
    ),
    (
        "compared by a difference in int32",
        lambda a, *t: sum(wrap(a - v, 32) >= 0 for v in t),
        "accumulator.wrap",
        "type_end",
    ),
    (
        "equal thresholds counted once",
        lambda a, *t: sum(a >= v for v in set(t)),
        "threshold.equal",
        "equal_thresholds",
    ),
    ("one level too many", lambda a, *t: 1 + sum(a >= v for v in t), "clamp.levels", "random"),
]


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
]


def averaged(wrong: Callable[..., int]) -> Callable[..., int]:
    """From the mean in steps of the output, exact."""

    def function(t: int, n: int, sx: float, zx: int, s: float, z: int, *ends: int) -> int:
        return wrong(F(sx) * (F(t, n) - zx) / F(s), z, *ends)

    return function


def of_parts(wrong: Callable[..., Fraction]) -> Callable[..., int]:
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
]

CLIP = [
    (
        "cut to int32 first",
        lambda v, low, high: clip(wrap(v, 32), low, high),
        "accumulator.wrap",
        "beyond_int32",
    ),
    (
        "wrapped",
        lambda v, low, high: low + (v - low) % (high - low + 1),
        "clamp.wrap",
        "range_end",
    ),
    ("no lower end", lambda v, low, high: max(min(v, high), -(2**31)), "clamp.dropped", "random"),
    ("no upper end", lambda v, low, high: min(max(v, low), 2**31 - 1), "clamp.dropped", "random"),
    ("one too many", lambda v, low, high: clip(v, low, high + 1), "clamp.levels", "range_end"),
    ("from 0", lambda v, low, high: clip(max(v, 0), low, high), "clamp.relu", "inside"),
    (
        "in float32",
        lambda v, low, high: int(clip(single(v), single(low), single(high))),
        "round.float32",
        "inside",
    ),
]

MUTANTS = [
    *(
        Mutant(operation, name, function, "exact", defect, flag)
        for operation, table in (
            ("round", ROUND),
            ("quantize", QUANTIZE),
            ("dequantize", DEQUANTIZE),
            ("multiplier", MULTIPLIER),
            ("requantize", REQUANTIZE),
            ("add", ADD),
            ("avg_pool", AVG_POOL),
            ("clip", CLIP),
            ("border_round", BORDER_ROUND),
            ("border", BORDER),
            ("threshold", THRESHOLD),
        )
        for name, function, defect, flag in table
    ),
    *(
        Mutant("requantize", f"{name} for {profile}", function, profile, defect, flag)
        for profile, name, function, defect, flag in OTHER_PROFILES
    ),
]
