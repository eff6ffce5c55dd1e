"""Wrong ways to quantize and to dequantize a real number in float64."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from aquant_ref.conformance.faults.arithmetic import RULES, F, clip, single, width_of, wrap
from aquant_ref.conformance.faults.fault import scalar


def code(rule: str, t: F | float, z: int, low: int, high: int) -> int:
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

WRONG = [*scalar("quantize", QUANTIZE), *scalar("dequantize", DEQUANTIZE)]
