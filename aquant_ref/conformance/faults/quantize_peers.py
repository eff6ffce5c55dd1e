"""Wrong ways to quantize and to dequantize in float32, as other engines do."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from aquant_ref.conformance.faults.arithmetic import F, clip, once, packed, rounded, single, wrap
from aquant_ref.conformance.faults.fault import of_alternatives

Code = Callable[[str, float, int, int, int], int]


def divided(r: float, s: float, z: int) -> tuple[float, int]:
    return packed(packed(r) / packed(s)), z


def multiplied(r: float, s: float, z: int) -> tuple[float, int]:
    return packed(packed(r) * packed(1 / packed(s))), z


def zero_first(r: float, s: float, z: int) -> tuple[float, int]:
    if math.isinf(r):
        return r, 0
    return once(F(packed(r)) * F(packed(1 / packed(s))) + z), 0


STEPS = {
    "float32": divided,
    "float32_reciprocal": multiplied,
    "float32_zero_first": zero_first,
}


def saturated(rule: str, t: float, z: int, low: int, high: int) -> int:
    return clip(rounded(rule, t) + z, low, high)


def quantized(
    steps: Callable[..., tuple[float, int]], code: Code = saturated
) -> Callable[..., int]:
    def function(rule: str, r: float, s: float, z: int, low: int, high: int) -> int:
        t, after = steps(r, s, z)
        return code(rule, t, after, low, high)

    return function


def far(steps: Callable[..., tuple[float, int]]) -> Callable[..., int]:
    """The code in int32 before it is clipped."""
    return quantized(steps, lambda rule, t, z, a, b: clip(wrap(rounded(rule, t), 32) + z, a, b))


ENDS: list[tuple[str, Code, str, str]] = [
    (
        "ReLU at 0",
        lambda rule, t, z, a, b: clip(rounded(rule, t) + z, 0 if a > -(2**7) else a, b),
        "clamp.relu",
        "relu",
    ),
    (
        "ReLU dropped",
        lambda rule, t, z, a, b: clip(rounded(rule, t) + z, -(2**15), b),
        "clamp.dropped",
        "relu",
    ),
    (
        "ReLU6 ignored",
        lambda rule, t, z, a, b: clip(rounded(rule, t) + z, a, max(b, 2**15)),
        "clamp.dropped",
        "relu6",
    ),
    (
        "a level too many",
        lambda rule, t, z, a, b: clip(rounded(rule, t) + z, a, b + 1),
        "clamp.levels",
        "range_end",
    ),
    (
        "one step up",
        lambda rule, t, z, a, b: clip(rounded(rule, t) + z + 1, a, b),
        "zero_point.missing",
        "tiny",
    ),
    (
        "without a zero point",
        lambda rule, t, z, a, b: clip(rounded(rule, t), a, b),
        "zero_point.missing",
        "random",
    ),
    (
        "half_away in place of the rule",
        lambda rule, t, z, a, b: clip(rounded("half_away", t) + z, a, b),
        "round.rule",
        "tie",
    ),
    (
        "1/2 added in float32",
        lambda rule, t, z, a, b: (
            clip(
                math.floor(min(max(single(t + 0.5), -1e300), 1e300))
                if rule == "half_up"
                else rounded(rule, t),
                a - z,
                b - z,
            )
            + z
        ),
        "round.float_half",
        "near_tie",
    ),
]


def in_float64(r: float, s: float, z: int) -> tuple[float, int]:
    return r / s, z


def zero_first_in_two(r: float, s: float, z: int) -> tuple[float, int]:
    return single(z + multiplied(r, s, z)[0]), 0


def zero_first_in_float64(r: float, s: float, z: int) -> tuple[float, int]:
    return r * single(1 / s) + z, 0


QUANTIZE: list[tuple[str, str, Callable[..., int], str, str]] = [
    *(
        (profile, name, quantized(steps, code), defect, flag)
        for profile, steps in STEPS.items()
        for name, code, defect, flag in ENDS
        # with the zero point inside of the rounding these are nothing, or something else
        if profile != "float32_zero_first" or flag not in ("tiny", "random", "near_tie")
    ),
    *(
        (profile, "cut to int32", far(steps), "accumulator.wrap", "beyond_int32")
        for profile, steps in STEPS.items()
    ),
    ("float32", "in float64", quantized(in_float64), "round.float64", "product_tie"),
    ("float32", "by the reciprocal", quantized(multiplied), "round.reciprocal", "quotient_tie"),
    ("float32", "zero point first", quantized(zero_first), "zero_point.order", "absorbed"),
    (
        "float32",
        "zero point first, in two",
        quantized(zero_first_in_two),
        "zero_point.order",
        "fused",
    ),
    ("float32_reciprocal", "in float64", quantized(in_float64), "round.float64", "quotient_tie"),
    ("float32_reciprocal", "divided", quantized(divided), "round.reciprocal", "product_tie"),
    ("float32_reciprocal", "zero first", quantized(zero_first), "zero_point.order", "absorbed"),
    ("float32_reciprocal", "fused", quantized(zero_first), "zero_point.order", "fused"),
    ("float32_zero_first", "two roundings", quantized(zero_first_in_two), "round.twice", "fused"),
    ("float32_zero_first", "zero last", quantized(multiplied), "zero_point.order", "absorbed"),
    (
        "float32_zero_first",
        "in float64",
        quantized(zero_first_in_float64),
        "round.float64",
        "absorbed",
    ),
    ("float32_zero_first", "divided", quantized(divided), "round.reciprocal", "product_tie"),
    ("float32_zero_first", "divided last", quantized(divided), "round.reciprocal", "quotient_tie"),
    (
        "float32_zero_first",
        "zero point twice",
        lambda rule, r, s, z, a, b: saturated(rule, zero_first(r, s, z)[0], z, a, b),
        "zero_point.missing",
        "tiny",
    ),
    (
        "float32_zero_first",
        "no zero point",
        lambda rule, r, s, z, a, b: saturated(rule, multiplied(r, s, 0)[0], 0, a, b),
        "zero_point.missing",
        "random",
    ),
]


DEQUANTIZE: list[tuple[str, Callable[..., float], str, str]] = [
    ("in float64", lambda q, s, z: (q - z) * s, "round.float64", "inexact"),
    ("zero point forgotten", lambda q, s, z: single(q * s), "zero_point.missing", "zero"),
    (
        "s*q - s*z",
        lambda q, s, z: single(single(q * s) - single(z * s)),
        "zero_point.order",
        "inexact",
    ),
    (
        "divided by 1/s",
        lambda q, s, z: single((q - z) / np.float64(single(1 / s))),
        "round.reciprocal",
        "inexact",
    ),
    (
        "difference in int16",
        lambda q, s, z: single(wrap(q - z, 16) * s),
        "accumulator.narrow",
        "range_end",
    ),
    (
        "unsigned zero point",
        lambda q, s, z: single((q - z % 256) * s),
        "zero_point.offset",
        "random",
    ),
]

WRONG = [
    *of_alternatives("quantize", QUANTIZE),
    *of_alternatives("dequantize", (("float32", *row) for row in DEQUANTIZE)),
]
