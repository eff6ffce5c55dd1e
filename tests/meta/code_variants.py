"""Right implementations of the operations between codes, written in other ways."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.arithmetic import once
from aquant_ref.conformance.faults.mul import PRODUCTS, multiplied
from aquant_ref.conformance.faults.rescale_codes import RESCALED, recoded_in
from aquant_ref.conformance.faults.written import Written

F = Fraction


def over_integers(x: int, sx: float, zx: int, s: float, z: int, low: int, high: int) -> int:
    """One division of integers."""
    (n, d), (p, q) = sx.as_integer_ratio(), s.as_integer_ratio()
    top, bottom = (x - zx) * n * q, d * p
    return min(max((2 * top + bottom) // (2 * bottom) + z, low), high)


def by_counting(x: int, sx: float, zx: int, s: float, z: int, low: int, high: int) -> int:
    """Each code's lower end is a number of steps of the input: which does x reach?"""
    return low + bisect_right(
        range(high - low),
        x - zx,
        key=lambda k: math.ceil((F(2 * (low + k - z) + 1, 2) * F(s)) / F(sx)),
    )


def in_numpy_singles(x: int, sx: float, zx: int, s: float, z: int, low: int, high: int) -> int:
    steps = np.rint(np.float32(x - zx) * np.float32(sx) / np.float32(s))
    return int(np.clip(int(steps) + z, low, high))


def with_a_nudge(x: int, sx: float, zx: int, s: float, z: int, low: int, high: int) -> int:
    """LiteRT's requantization as gemmlowp writes it: nudge, truncation, mask and threshold."""
    f, e = math.frexp(float(np.float32(sx)) / float(np.float32(s)))
    m = math.floor(f * 2.0**31 + 0.5)
    if m == 2**31:
        m, e = m // 2, e + 1
    product = ((x - zx) << max(e, 0)) * m
    nudged = product + (2**30 if product >= 0 else 1 - 2**30)
    doubled = abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)
    right = max(-e, 0)
    rest = doubled & ((1 << right) - 1)
    threshold = ((1 << right) - 1 >> 1) + (doubled < 0)
    return min(max((doubled >> right) + (rest > threshold) + z, low), high)


def in_q8(x: int, sx: float, zx: int, s: float, z: int, low: int, high: int) -> int:
    """XNNPACK's conversion with the zero points in the bias."""
    m = round(F(once(F(once(F(sx))) / F(once(F(s))))) * 256)
    return min(max((x * m + 128 + 256 * z - zx * m) // 256, low), high)


def in_decimals(
    a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int, low: int, high: int
) -> int:
    """With more digits than any tie has."""
    with localcontext() as context:
        context.prec = 200
        real = Decimal((a - za) * (b - zb)) * Decimal(sa) * Decimal(sb) / Decimal(s)
        up = (real + Decimal("0.5")).to_integral_value(ROUND_FLOOR)
    return min(max(int(up) + z, low), high)


def with_cross_terms(
    a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int, low: int, high: int
) -> int:
    """a*b - a*zb - za*b + za*zb, as kernels of matrices have it."""
    acc = a * b - a * zb - za * b + za * zb
    doubled = math.floor(2 * acc * F(sa) * F(sb) / F(s) + 1)
    return min(max(doubled // 2 + z, low), high)


TABLE: list[tuple[str, str, Callable[..., Any]]] = [
    ("rescale_codes", "", over_integers),
    ("rescale_codes", "", by_counting),
    ("rescale_codes", "float32", in_numpy_singles),
    ("rescale_codes", "tflite", with_a_nudge),
    ("rescale_codes", "xnnpack", in_q8),
    ("mul", "", in_decimals),
    ("mul", "", with_cross_terms),
]
VARIANTS = [
    *(
        Written(operation, function.__name__, function, profile)
        for operation, profile, function in TABLE
    ),
    *(
        Written("rescale_codes", f"{profile}, through bytes", recoded_in(profile), profile)
        for profile in RESCALED
    ),
    *(
        Written(
            "mul", f"{profile}, through bytes", multiplied(steps, single=bool(profile)), profile
        )
        for profile, steps in PRODUCTS.items()
    ),
]
