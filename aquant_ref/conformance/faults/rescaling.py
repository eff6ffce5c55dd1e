"""Scale an accumulator by a real ratio and round it, in each variation of requantization.

Written apart from the oracle, in Python's integers and numpy's float32. Spec: AQ-FIXED-2 to
AQ-FIXED-7.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from aquant_ref.conformance.faults.arithmetic import F, away, even, once, rounded

Rescaling = Callable[[int], int]


@lru_cache(4096)  # each candidate of a diagnosis asks for those of the same channels
def mantissa(m: F) -> tuple[int, int]:
    """Return multiplier and shift; raise OverflowError for a shift that is refused."""
    shift = 30 + m.denominator.bit_length() - m.numerator.bit_length()  # or one more
    while m * F(2) ** shift >= 2**31:
        shift -= 1
    while m * F(2) ** shift < 2**30:
        shift += 1
    multiplier = math.floor(m * F(2) ** shift + F(1, 2))
    multiplier, shift = (multiplier // 2, shift - 1) if multiplier == 2**31 else (multiplier, shift)
    if not 0 <= shift <= 62:
        raise OverflowError(f"{m} needs a shift of {shift}")
    return multiplier, shift


def in_fixed_point(m: F, _zero: int) -> Rescaling:
    multiplier, shift = mantissa(m)
    return lambda v: (2 * v * multiplier + (1 << shift)) >> (shift + 1)


def twice(last: Callable[[F], int]) -> Callable[[F, int], Rescaling]:
    """Round to the high half of a product of 64 bits, then to the last shift."""

    def of_ratio(m: F, _zero: int) -> Rescaling:
        multiplier, shift = mantissa(m)
        left, right = max(31 - shift, 0), max(shift - 31, 0)

        def rescale(v: int) -> int:
            if not -(2**31) <= v << left < 2**31:
                raise OverflowError(f"{v} << {left} leaves int32")
            return last(F(((v << left) * multiplier + 2**30) >> 31, 2**right))

        return rescale

    return of_ratio


def in_float32(m: F, _zero: int) -> Rescaling:
    factor = once(m)
    return lambda v: rounded("half_even", once(F(once(F(v))) * F(factor)))


def in_float64(m: F, _zero: int) -> Rescaling:
    return lambda v: away(v * float(m))


def zero_point_first(m: F, zero: int) -> Rescaling:
    return lambda v: even(v * float(m) + zero) - zero


def nearest(m: F, _zero: int) -> Rescaling:
    top, bottom = m.numerator, m.denominator
    return lambda v: (2 * v * top + bottom) // (2 * bottom)


RESCALED: dict[str, Callable[[F, int], Rescaling]] = {
    "ideal": nearest,
    "exact": in_fixed_point,
    "tflite_single": in_fixed_point,
    "tflite_up": twice(lambda t: math.floor(t + F(1, 2))),
    "tflite_away": twice(away),
    "float32": in_float32,
    "float64": in_float64,
    "float64_onnx": zero_point_first,
}


def ratio(profile: str, m: F) -> F:
    """Return the number by which the variation multiplies, for what rounds otherwise."""
    if profile == "ideal":
        return m
    if profile.startswith("float"):
        return F(once(m) if profile == "float32" else float(m))
    multiplier, shift = mantissa(m)
    return multiplier / F(2) ** shift
