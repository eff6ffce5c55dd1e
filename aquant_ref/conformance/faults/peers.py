"""What other engines compute, and what goes wrong with it.

A real number is a float here and float32 arithmetic is that of numpy's scalars, so nothing is
shared with the oracle's rationals or the adapter's arrays.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.scalars import RULES, Mutant, clip, single, wrap

F = Fraction
Code = Callable[[str, float, int, int, int], int]


def packed(v: float) -> float:
    """To float32 and back, through bytes."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", v))[0])
    except OverflowError:
        return math.copysign(math.inf, v)


def rounded(rule: str, t: float) -> int:
    """An infinite number is beyond any range, so that a large one will do."""
    return RULES[rule](min(max(t, -1e300), 1e300))


def once(v: Fraction) -> float:
    """The nearest float32, ties to even, by the spacing of its neighbours."""
    if not v:
        return 0.0
    exponent = max(math.frexp(float(v))[1] - 24, -149)
    return float(round(v / F(2) ** exponent) * F(2) ** exponent)


# quantize: what is rounded, and the zero point that is added after that


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


# Wrong ones


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

# add: the steps before the zero point and the clip, or with it


def added(steps: Callable[..., int], code: Callable[..., int] | None = None) -> Callable[..., int]:
    """A function of the fields, by position, from one of a, b, scales and zero points."""

    def function(
        a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, *ends: int
    ) -> int:
        z, low, high = ends
        y = steps(a, packed(sa), za, b, packed(sb), zb, packed(s), z)
        return (code or clip)(y, low, high)

    return function


def rescaled(n: int, m: float, nearest: Callable[[Fraction], int]) -> int:
    """Twice rounded, in the manner of gemmlowp; the last rounding is the given one."""
    f, e = math.frexp(m)
    mantissa = math.floor(F(f) * 2**31 + F(1, 2))
    high = math.floor(F(n * mantissa, 2**31) + F(1, 2))
    return nearest(high * F(2) ** e)


def as_tflite(
    a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int, nearest: Any = None
) -> int:
    twice, last = 2 * max(sa, sb), nearest or RULES["half_away"]
    u = rescaled((a - za) << 20, sa / twice, last)
    v = rescaled((b - zb) << 20, sb / twice, last)
    return rescaled(u + v, twice / (s * 2.0**20), last) + z


def as_xnnpack(
    a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int, bits: int = 20
) -> int:
    ratios = packed(sa / s), packed(sb / s)
    k = bits + 1 - math.frexp(max(ratios))[1]
    ma, mb = (round(F(r) * 2**k) for r in ratios)
    bias = (1 << (k - 1)) - ma * za - mb * zb
    return ((bias + a * ma + b * mb) >> k) + z


def as_float32(a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int) -> int:
    return round(packed(packed(packed((a - za) * sa) + packed((b - zb) * sb)) / s)) + z


def as_onnxruntime(a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int) -> int:
    ra, rb = packed(sa / s), packed(sb / s)
    c = packed(z - once(F(ra) * za + F(packed(rb * zb))))
    return round(once(F(ra) * a + F(once(F(rb) * b + F(c)))))


def torch_sum(a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float) -> float:
    terms = (once(F(x) * q - F(packed(x * zero))) for x, q, zero in ((sa, a, za), (sb, b, zb)))
    return packed(packed(sum(terms)) * packed(1 / s))


def as_torch(a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int) -> int:
    return round(torch_sum(a, sa, za, b, sb, zb, s)) + z


def as_torch_tail(a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int) -> int:
    total = packed(packed((a - za) * sa) + packed((b - zb) * sb))
    return round(packed(packed(total * packed(1 / s)) + z))


ADDED: dict[str, Callable[..., int]] = {
    "tflite": as_tflite,
    "xnnpack": as_xnnpack,
    "float32": as_float32,
    "onnxruntime": as_onnxruntime,
    "torch": as_torch,
    "torch_tail": as_torch_tail,
}


def in_real_numbers(
    a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int
) -> int:
    return math.floor((F(sa) * (a - za) + F(sb) * (b - zb)) / F(s) + F(1, 2)) + z


def each_branch(steps: Callable[..., int], low: int, high: int) -> Callable[..., int]:
    """Both branches in the scale of the result, and clipped, before they are added."""

    def function(a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int) -> int:
        first = steps(a, sa, za, zb, sb, zb, s, 0)
        second = steps(za, sa, za, b, sb, zb, s, 0)
        return clip(first, low, high) + clip(second, low, high) + z

    return function


def of_add(profile: str, steps: Callable[..., int]) -> list[tuple[str, Any, str, str]]:
    """What goes wrong around any of them."""
    return [
        (
            "each branch rounded",
            added(each_branch(steps, -(10**6), 10**6)),
            "add.branch_rounded",
            "random",
        ),
        (
            "each branch clipped",
            added(each_branch(steps, -20, 20)),
            "add.branch_clipped",
            "opposite",
        ),
        (
            "ReLU dropped",
            added(steps, lambda y, low, high: min(max(y, -(2**15)), high)),
            "clamp.dropped",
            "relu",
        ),
        (
            "a level too many",
            added(steps, lambda y, a, b: clip(y, a, b + 1)),
            "clamp.levels",
            "range_end",
        ),
        (
            "one scale",
            added(lambda a, sa, za, b, sb, *rest: steps(a, sa, za, b, sa, *rest)),
            "add.one_scale",
            "tie",
        ),
        (
            "zero point of the result forgotten",
            added(lambda *fields: steps(*fields) - fields[-1]),
            "zero_point.missing",
            "random",
        ),
        ("exact, ties up", added(in_real_numbers), "round.rule", "beside_tie"),
    ]


ADD: list[tuple[str, str, Any, str, str]] = [
    *((p, *row) for p, steps in ADDED.items() for row in of_add(p, steps)),
    (
        "tflite",
        "ties up in the last rounding",
        added(partial(as_tflite, nearest=RULES["half_up"])),
        "round.rule",
        "tie",
    ),
    (
        "xnnpack",
        "multipliers of 16 bits",
        added(partial(as_xnnpack, bits=15)),
        "multiplier.range",
        "near_tie",
    ),
    ("float32", "by the reciprocal", added(as_torch), "round.reciprocal", "beside_tie"),
    ("onnxruntime", "zero point last", added(as_float32), "zero_point.order", "tie"),
    ("torch", "zero point first", added(as_torch_tail), "zero_point.order", "tie"),
    ("torch_tail", "zero point last", added(as_torch), "zero_point.order", "tie"),
    *(
        (
            p,
            "as XNNPACK with 16 bits",
            added(partial(as_xnnpack, bits=15)),
            "round.rule",
            "near_tie",
        )
        for p in ADDED
        if p != "xnnpack"
    ),
]

# avg_pool: the code before the clip


def pooled(code: Callable[..., int], ends: Callable[..., int] = clip) -> Callable[..., int]:
    def function(
        total: int, n: int, x: float, xz: int, s: float, z: int, low: int, high: int
    ) -> int:
        return ends(code(total, n, F(packed(x)), xz, F(packed(s)), z), low, high)

    return function


def as_c_divides(total: int, n: int, *_: Any) -> int:
    """Away from zero: half of n is added on the side of the sum, and the rest cut off."""
    return (total + n // 2) // n if total > 0 else -((-total + n // 2) // n)


def to_even(total: int, n: int, *_: Any) -> int:
    whole, rest = divmod(total, n)
    return whole + (2 * rest > n or (2 * rest == n and whole % 2 == 1))


def zero_point_last(total: int, n: int, x: Fraction, xz: int, s: Fraction, z: int) -> int:
    return round((total - n * xz) * x / (n * s)) + z


def zero_point_inside(total: int, n: int, x: Fraction, xz: int, s: Fraction, z: int) -> int:
    return round((total - n * xz) * x / (n * s) + z)


POOLED: dict[str, Callable[..., int]] = {
    "tflite": as_c_divides,
    "torch": to_even,
    "onnx": zero_point_last,
    "onnxruntime": zero_point_inside,
}


def of_pool(code: Callable[..., int]) -> list[tuple[str, Any, str, str]]:
    """What goes wrong around any of them."""
    return [
        (
            "ReLU dropped",
            pooled(code, lambda y, low, high: min(max(y, -(2**15)), high)),
            "clamp.dropped",
            "relu",
        ),
        (
            "a pixel too many",
            pooled(lambda t, n, *rest: code(t, n + 1, *rest)),
            "pool.count",
            "near_tie",
        ),
        (
            "the mean cut off",
            pooled(lambda t, n, x, xz, s, z: math.floor((t - n * xz) * x / (n * s)) + z),
            "pool.floor",
            "tie",
        ),
        (
            "zero point of the input forgotten",
            pooled(lambda t, n, x, xz, *rest: code(t + n * xz, n, x, xz, *rest)),
            "zero_point.missing",
            "random",
        ),
    ]


def by_hundredths(total: int, n: int, *_: Any) -> int:
    """1/n in 8 bits."""
    return math.floor(F(total * round(256 / n), 256) + F(1, 2))


AVG_POOL: list[tuple[str, str, Any, str, str]] = [
    *((p, *row) for p, code in POOLED.items() for row in of_pool(code)),
    *(
        (p, "1/n in 8 bits", pooled(by_hundredths), "pool.reciprocal", "odd_count")
        for p in ("tflite", "torch")
    ),
    *(
        (
            p,
            "from unsigned codes",
            pooled(lambda t, n, *rest, f=POOLED[p]: f(t % (256 * n), n, *rest)),
            "clamp.wrap",
            "range_end",
        )
        for p in ("tflite", "torch")
    ),
    ("tflite", "half to even", pooled(to_even), "round.rule", "tie"),
    ("tflite", "half up", pooled(lambda t, n, *_: (2 * t + n) // (2 * n)), "round.rule", "tie"),
    (
        "tflite",
        "the zero point taken off first",
        pooled(lambda t, n, x, xz, s, z: as_c_divides(t - n * xz, n) + z),
        "pool.centred",
        "tie",
    ),
    ("torch", "half away", pooled(as_c_divides), "round.rule", "tie"),
    ("torch", "the zero point taken off first", pooled(zero_point_last), "pool.centred", "tie"),
    ("onnx", "zero point first", pooled(zero_point_inside), "zero_point.order", "tie"),
    ("onnxruntime", "zero point last", pooled(zero_point_last), "zero_point.order", "tie"),
    *(
        (p, "stored codes", pooled(to_even), "pool.stored", "random")
        for p in ("onnx", "onnxruntime")
    ),
    *(
        (
            p,
            "one scale",
            pooled(lambda t, n, x, xz, s, z, f=POOLED[p]: f(t, n, s, xz, s, z)),
            "add.one_scale",
            "random",
        )
        for p in ("onnx", "onnxruntime")
    ),
]

MUTANTS = [
    *(
        Mutant("quantize", f"{profile}: {name}", function, profile, defect, flag)
        for profile, name, function, defect, flag in QUANTIZE
    ),
    *(
        Mutant("dequantize", f"float32: {name}", function, "float32", defect, flag)
        for name, function, defect, flag in DEQUANTIZE
    ),
    *(
        Mutant("add", f"{profile}: {name}", function, profile, defect, flag)
        for profile, name, function, defect, flag in ADD
    ),
    *(
        Mutant("avg_pool", f"{profile}: {name}", function, profile, defect, flag)
        for profile, name, function, defect, flag in AVG_POOL
    ),
]
