"""Wrong ways to add two codes as other engines do."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from aquant_ref.conformance.faults.arithmetic import RULES, F, away, clip, once, packed
from aquant_ref.conformance.faults.fault import of_alternatives


def added(steps: Callable[..., int], code: Callable[..., int] | None = None) -> Callable[..., int]:
    """A function of the fields, by position, from one of a, b, scales and zero points."""

    def function(
        a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, *ends: int
    ) -> int:
        z, low, high = ends
        y = steps(a, packed(sa), za, b, packed(sb), zb, packed(s), z)
        return (code or clip)(y, low, high)

    return function


def rescaled(n: int, m: float, nearest: Callable[[F], int]) -> int:
    """Twice rounded, in the manner of gemmlowp; the last rounding is the given one."""
    f, e = math.frexp(m)
    mantissa = math.floor(F(f) * 2**31 + F(1, 2))
    high = math.floor(F(n * mantissa, 2**31) + F(1, 2))
    return nearest(high * F(2) ** e)


def as_tflite(
    a: int,
    sa: float,
    za: int,
    b: int,
    sb: float,
    zb: int,
    s: float,
    z: int,
    nearest: Any = None,
    term: Callable[[int, float], int] | None = None,
) -> int:
    twice, last = 2 * max(sa, sb), nearest or RULES["half_away"]
    each = term or partial(rescaled, nearest=last)
    u, v = each((a - za) << 20, sa / twice), each((b - zb) << 20, sb / twice)
    return rescaled(u + v, twice / (s * 2.0**20), last) + z


def rounded_once(n: int, m: float) -> int:
    f, e = math.frexp(m)
    return math.floor(n * math.floor(F(f) * 2**31 + F(1, 2)) * F(2) ** (e - 31) + F(1, 2))


as_litert_int8 = partial(as_tflite, term=rounded_once)
as_litert_uint8 = partial(as_tflite, term=partial(rescaled, nearest=math.floor))


def as_xnnpack(
    a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int, bits: int = 20
) -> int:
    ratios = packed(sa / s), packed(sb / s)
    k = bits + 1 - math.frexp(max(ratios))[1]
    ma, mb = (round(F(r) * 2**k) for r in ratios)
    bias = (1 << (k - 1)) - ma * za - mb * zb
    return ((bias + a * ma + b * mb) >> k) + z


def as_qnnpack(a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int) -> int:
    ratios = packed(sa / s), packed(sb / s)
    k = 22 - math.frexp(max(ratios))[1]
    ma, mb = (round(F(r) * 2**k) for r in ratios)
    return away(F((a - za) * ma + (b - zb) * mb, 2**k)) + z


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
    "qnnpack": as_qnnpack,
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
    *(
        (p, *row)
        for p, steps in ADDED.items()
        for row in of_add(p, steps)
        if (p, row[3]) != ("qnnpack", "range_end")  # few are stored
    ),
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
    ("qnnpack", "ties up", added(partial(as_xnnpack, bits=21)), "round.rule", "tie"),
    ("qnnpack", "as XNNPACK", added(as_xnnpack), "round.rule", "tie"),
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

WRONG = of_alternatives("add", ADD)
