"""Right implementations, written in other ways: none of them may be accused."""

from __future__ import annotations

import math
import struct
from bisect import bisect_right
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

from aquant_ref.conformance.faults.written import Written

# Requantization


def in_two_floors(acc: int, m: int, n: int, z: int, low: int, high: int) -> int:
    """The high product first; a floor of a floor is one floor."""
    if n <= 31:
        return min(max((2 * acc * m + 2**n) >> (n + 1), low - z), high - z) + z
    part = (acc * m) >> 31
    return min(max(((part >> (n - 32)) + 1 >> 1) + z, low), high)


def with_16_bit_products(acc: int, m: int, n: int, z: int, low: int, high: int) -> int:
    """Products of halves, as hardware without a wide multiplier forms them."""
    a_high, a_low = acc >> 16, acc & 0xFFFF
    m_high, m_low = m >> 16, m & 0xFFFF
    product = (a_high * m_high << 32) + (a_high * m_low + a_low * m_high << 16) + a_low * m_low
    q, rest = divmod(product, 1 << n)
    return sorted((low, z + q + (2 * rest >= 1 << n), high))[1]


def as_a_sum_of_shifts(acc: int, m: int, n: int, z: int, low: int, high: int) -> int:
    """Bit by bit, the lowest first."""
    product = sum(acc << bit for bit in range(31) if m >> bit & 1)
    y = product + (1 << n >> 1) >> n
    return low if y + z < low else high if y + z > high else y + z


def as_gemmlowp_has_it(acc: int, m: int, n: int, z: int, low: int, high: int) -> int:
    """tflite_away: the nudge and the division of C, then a shift with mask and threshold."""
    left, right = max(31 - n, 0), max(n - 31, 0)
    product = (acc << left) * m
    nudged = product + (1 << 30 if product >= 0 else 1 - (1 << 30))
    doubled = abs(nudged) // (1 << 31) * (1 if nudged >= 0 else -1)
    mask = (1 << right) - 1
    threshold = (mask >> 1) + (doubled < 0)
    y = (doubled >> right) + ((doubled & mask) > threshold)
    return min(max(y + z, low), high)


# Real numbers


def by_decimals(rule: str, t: float) -> int:
    """Decimal holds every float64; its HALF_UP is half_away here, so half_up looks at the sign."""
    names = {
        "floor": ROUND_FLOOR,
        "ceil": ROUND_CEILING,
        "trunc": ROUND_FLOOR if t > 0 else ROUND_CEILING,
        "half_even": ROUND_HALF_EVEN,
        "half_away": ROUND_HALF_UP,
    }
    if rule == "half_up":
        return -by_decimals("half_down", -t) if t < 0 else by_decimals("half_away", t)
    if rule == "half_down":
        return math.ceil(Decimal(t) - Decimal("0.5")) if t < 2**52 else int(t)
    return int(Decimal(t).to_integral_value(names[rule]))


def by_twice_the_number(rule: str, t: float) -> int:
    """2*t is exact, and its floor says in which half of a step t is."""
    halves = math.floor(2 * t)
    whole, second_half = halves >> 1, halves & 1
    tie = second_half and 2 * t == halves
    fraction = t != whole
    up = {
        "floor": False,
        "ceil": fraction,
        "trunc": fraction and t < 0,
        "half_up": second_half,
        "half_away": second_half and (t > 0 or not tie),
        "half_even": second_half and (not tie or whole % 2 == 1),
    }[rule]
    return whole + bool(up)


def by_counting(rule: str, r: float, s: float, z: int, low: int, high: int) -> int:
    """Bisection over the codes: which of them does r reach?"""
    t = r / s if abs(r) < s * 2.0**1000 else math.copysign(math.inf, r)
    if math.isinf(t):
        return high if t > 0 else low

    def reached(k: int) -> int:
        return 0 if by_twice_the_number(rule, t) >= low + k + 1 - z else 1

    return low + bisect_right(range(high - low), 0, key=reached)


def as_a_fraction(q: int, s: float, z: int) -> float:
    numerator, denominator = s.as_integer_ratio()
    return (q - z) * numerator / denominator


def from_the_bits(m: float) -> tuple[int, int]:
    """The mantissa and the exponent are bits of the float64."""
    bits = struct.unpack("<Q", struct.pack("<d", m))[0]
    exponent, fraction = (bits >> 52) - 1022, bits & (2**52 - 1) | 2**52
    mantissa = (fraction + (1 << 21)) >> 22
    return (mantissa >> 1, 30 - exponent) if mantissa >> 31 else (mantissa, 31 - exponent)


def moved_down(t: float, b: float) -> int:
    return math.floor(Fraction(t) - Fraction(b)) + 1


# Sums


def over_one_denominator(
    a: int, sa: float, za: int, b: int, sb: float, zb: int, s: float, z: int, low: int, high: int
) -> int:
    """In integers, second branch first."""
    (n1, d1), (n2, d2), (n, d) = (v.as_integer_ratio() for v in (sb, sa, s))
    top = ((b - zb) * n1 * d2 + (a - za) * n2 * d1) * d
    bottom = d1 * d2 * n
    return min(high, max(low, (2 * top + bottom) // (2 * bottom) + z))


def by_long_division(
    total: int, count: int, sx: float, zx: int, s: float, z: int, low: int, high: int
) -> int:
    (n1, d1), (n2, d2) = sx.as_integer_ratio(), s.as_integer_ratio()
    q, rest = divmod((total - count * zx) * n1 * d2, count * d1 * n2)
    return max(low, min(high, q + z + (2 * rest >= count * d1 * n2)))


# Codes


def the_middle_of_three(v: int, low: int, high: int) -> int:
    return sorted((low, v, high))[1]


def from_above(acc: int, *thresholds: int) -> int:
    """The first threshold from above that is reached."""
    for k in range(len(thresholds), 0, -1):
        if acc >= thresholds[k - 1]:
            return k
    return 0


def bisected(acc: int, *thresholds: int) -> int:
    return bisect_right(thresholds, acc)


def with_one_division_a_step(
    t: int, low: int, high: int, f: int, m: int, n: int, *rest: int
) -> int:
    """Each coefficient goes inside the division that follows it."""
    c0, c1, c2, lift, z = rest
    inside = low if t < low else high if t > high else t
    tau = inside * m // 2**n
    inner = (c2 * tau + c1 * 2**15) // 2**15
    outer = (inner * tau + c0 * 2**15) // 2**15
    code, fraction = inside // 2**f, inside & (2**f - 1)
    return z + (code if outer > lift or not fraction else code + 1)


TABLE: list[tuple[str, Callable[..., object]]] = [
    ("requantize", in_two_floors),
    ("requantize", with_16_bit_products),
    ("requantize", as_a_sum_of_shifts),
    ("requantize_any", in_two_floors),
    ("requantize_any", with_16_bit_products),
    ("requantize_any", as_a_sum_of_shifts),
    ("round", by_decimals),
    ("round", by_twice_the_number),
    ("quantize", by_counting),
    ("dequantize", as_a_fraction),
    ("multiplier", from_the_bits),
    ("border_round", moved_down),
    ("border", with_one_division_a_step),
    ("add", over_one_denominator),
    ("avg_pool", by_long_division),
    ("clip", the_middle_of_three),
    ("threshold", from_above),
    ("threshold", bisected),
]
VARIANTS = [
    *(Written(operation, function.__name__, function) for operation, function in TABLE),
    *(
        Written(operation, as_gemmlowp_has_it.__name__, as_gemmlowp_has_it, "tflite_away")
        for operation in ("requantize", "requantize_any")
    ),
]
