"""What other engines compute, written in other ways: none of them may be accused."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from aquant_ref.conformance.faults import half
from aquant_ref.conformance.faults.add_peers import ADDED, added
from aquant_ref.conformance.faults.arithmetic import RULES, clip, once, packed
from aquant_ref.conformance.faults.avg_pool_peers import POOLED, pooled
from aquant_ref.conformance.faults.quantize_peers import STEPS, quantized
from aquant_ref.conformance.faults.written import Written

F = Fraction


def in_scalars_of_numpy(rule: str, r: float, s: float, z: int, low: int, high: int) -> int:
    with np.errstate(all="ignore"):
        t = np.float32(r) / np.float32(s)
    if not math.isfinite(t):
        return high if t > 0 else low
    whole = {"half_even": np.rint, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc}
    if rule in whole:
        return int(np.clip(int(whole[rule](t)) + z, low, high))
    return int(np.clip(RULES[rule](float(t)) + z, low, high))


def by_exact_products(rule: str, r: float, s: float, z: int, low: int, high: int) -> int:
    if math.isinf(r):
        return low if r < 0 else high
    inverse = once(1 / F(once(F(s))))
    return clip(RULES[rule](once(F(once(F(r))) * F(inverse))) + z, low, high)


def by_a_sum_without_error(rule: str, r: float, s: float, z: int, low: int, high: int) -> int:
    """A fused multiply-add of float32 numbers in extended precision, where the product is exact."""
    if math.isinf(r):
        return low if r < 0 else high
    x, y = np.float32(r), np.float32(1) / np.float32(s)
    total = F(float(x)) * F(float(y)) + z
    if abs(total) > 2**40:
        return high if total > 0 else low
    near = np.float32(float(total))
    around = (np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf)))

    def distance(v: np.float32) -> tuple[Fraction, int]:
        return abs(F(float(v)) - total), int(v.view(np.uint32)) & 1

    return clip(RULES[rule](float(min(around, key=distance))), low, high)


def in_single(total: int, n: int, x: Fraction, xz: int, s: Fraction, z: int) -> int:
    """In float32, in the manner of ONNX."""
    mean = packed(packed((total - n * xz) * float(x)) / n)
    return round(packed(mean / float(s))) + z


RIGHT: list[tuple[str, str, str, Callable[..., Any]]] = [
    *(("quantize", p, "through bytes", code) for p, code in half.QUANTIZED.items()),
    *(("dequantize", p, "through bytes", real) for p, real in half.DEQUANTIZED.items()),
    *(("avg_pool", p, "by division", pooled(code)) for p, code in POOLED.items()),
    ("avg_pool", "onnx", "in float32", pooled(in_single)),
    *(("add", p, "through bytes and fractions", added(steps)) for p, steps in ADDED.items()),
    *(("quantize", p, "through bytes", quantized(steps)) for p, steps in STEPS.items()),
    ("quantize", "float32", "in numpy's scalars", in_scalars_of_numpy),
    ("quantize", "float32_reciprocal", "by exact products", by_exact_products),
    ("quantize", "float32_zero_first", "by the nearest of three", by_a_sum_without_error),
    ("dequantize", "float32", "through bytes", lambda q, s, z: packed((q - z) * packed(s))),
    (
        "dequantize",
        "float32",
        "by exact products",
        lambda q, s, z: once(F(q - z) * F(once(F(s)))),
    ),
]
VARIANTS = [
    Written(operation, f"{profile}, {name}", function, profile)
    for operation, profile, name, function in RIGHT
]
