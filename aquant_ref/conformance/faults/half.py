"""Wrong ways to quantize and to dequantize in float16 and bfloat16."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from functools import partial

from aquant_ref.conformance.faults.arithmetic import clip, rounded, single, wrap
from aquant_ref.conformance.faults.fault import of_alternatives

Type = Callable[[float], float]


def float16(v: float) -> float:
    """To float16 and back, through bytes."""
    try:
        return float(struct.unpack("<e", struct.pack("<e", v))[0])
    except OverflowError:
        return math.copysign(math.inf, v)


def bfloat16(v: float) -> float:
    """The upper half of a float32, rounded to even."""
    near = single(v)
    if not math.isfinite(near):
        return near
    (bits,) = struct.unpack("<I", struct.pack("<f", near))
    bits += 0x7FFF + (bits >> 16 & 1)
    return float(struct.unpack("<f", struct.pack("<I", bits & 0xFFFF0000))[0])


def divided(of: Type, to: Type, r: float, s: float) -> float:
    return to(of(r) / of(s))


def multiplied(of: Type, to: Type, r: float, s: float) -> float:
    return to(of(r) * of(1 / of(s)))


def flushed(of: Type, to: Type, r: float, s: float) -> float:
    return divided(of, to, 0 if abs(r) < of(s) else r, s)


def quantized(
    steps: Callable[[float, float], float], code: Callable[..., int] | None = None
) -> Callable[..., int]:
    def function(rule: str, r: float, s: float, *ends: int) -> int:
        z, low, high = ends
        t = steps(r, s)
        return code(t, z, low, high) if code else clip(rounded(rule, t) + z, low, high)

    return function


TYPES: dict[str, tuple[Type, Type]] = {
    "float16": (float16, float16),
    "bfloat16": (bfloat16, bfloat16),
    "float16_to_float32": (float16, single),
}
QUANTIZED = {profile: quantized(partial(divided, of, to)) for profile, (of, to) in TYPES.items()}


def of_quantize(profile: str) -> list[tuple[str, Callable[..., int], str, str]]:
    of, to = TYPES[profile]
    other = single if to is of else of
    right = partial(divided, of, to)
    return [
        (
            "the quotient of another type",
            quantized(partial(divided, of, other)),
            "round.half" if to is single else "round.float32",
            "quotient_tie",
        ),
        (
            "by the reciprocal",
            quantized(partial(multiplied, of, to)),
            "round.reciprocal",
            "quotient_tie" if to is single else "product_tie",
        ),
        ("half away", quantized(right, away), "round.rule", "tie"),
        (
            "zero point first",
            quantized(right, lambda t, z, a, b: clip(rounded("half_even", t + z), a, b)),
            "zero_point.order",
            "tie",
        ),
        (
            "subnormal numbers are 0",
            quantized(partial(flushed, of, to)),
            "round.subnormal",
            "subnormal",
        ),
        (
            "cut to int16",
            quantized(right, lambda t, z, a, b: clip(wrap(rounded("half_even", t), 16) + z, a, b)),
            "accumulator.wrap",
            "beyond",
        ),
        (
            "without a zero point",
            quantized(right, lambda t, z, a, b: clip(rounded("half_even", t), a, b)),
            "zero_point.missing",
            "random",
        ),
        (
            "ReLU dropped",
            quantized(right, lambda t, z, a, b: clip(rounded("half_even", t) + z, -(2**15), b)),
            "clamp.dropped",
            "relu",
        ),
        (
            "a level too many",
            quantized(right, lambda t, z, a, b: clip(rounded("half_even", t) + z, a, b + 1)),
            "clamp.levels",
            "beyond",
        ),
        ("cast without rounding", quantized(right, truncated), "round.cast", "near_tie"),
    ]


def away(t: float, z: int, low: int, high: int) -> int:
    return clip(rounded("half_away", t) + z, low, high)


def truncated(t: float, z: int, low: int, high: int) -> int:
    return clip(rounded("trunc", t) + z, low, high)


def real(of: Type, q: int, s: float, z: int) -> float:
    return of((q - z) * of(s))


DEQUANTIZED = {name: partial(real, of) for name, (of, to) in TYPES.items() if of is to}


def of_dequantize(profile: str) -> list[tuple[str, Callable[..., float], str, str]]:
    of = TYPES[profile][0]
    return [
        ("in float32", lambda q, s, z: single((q - z) * of(s)), "round.half", "inexact"),
        ("s*q - s*z", lambda q, s, z: of(of(q * s) - of(z * s)), "zero_point.order", "inexact"),
        ("no zero point", lambda q, s, z: of(q * s), "zero_point.missing", "zero"),
        (
            "the difference in int8",
            lambda q, s, z: of(wrap(q - z, 8) * s),
            "accumulator.narrow",
            "range_end",
        ),
        (
            "saturated, not infinite",
            lambda q, s, z: (
                of((q - z) * s) if math.isfinite(of((q - z) * s)) else math.copysign(65504.0, q - z)
            ),
            "clamp.wrap",
            "overflow",
        ),
    ]


WRONG = [
    *of_alternatives("quantize", ((p, *row) for p in TYPES for row in of_quantize(p))),
    *of_alternatives("dequantize", ((p, *row) for p in DEQUANTIZED for row in of_dequantize(p))),
]
