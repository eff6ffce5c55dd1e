"""A product in floating point, from the binary digits of its factors: integers alone compute it.

`rescale_float` reproduces engines that requantize in floats. Spec: AQ-FIXED-5, AQ-FIXED-6.
"""

from __future__ import annotations

import numpy as np

from aquant_ref.typing import Accumulators, Integers, Reals

DIGITS = {"float32": 24, "float64": 53}  # binary digits of a significand
PROFILES = tuple(DIGITS)
BEYOND = 2**62  # where a product is cut off, so that int64 holds it; T has saturated long before


def float_products(acc: Integers, multiplier: Reals, profile: str) -> Accumulators:
    """Multiply in the profile's float type and round to integers, at most 2^62 in absolute value.

    `acc` holds int32 values; the two broadcast.
    """
    products = np.frompyfunc(_float_product, 3, 1)(acc, multiplier, profile)
    return np.clip(products, -BEYOND, BEYOND).astype(np.int64)


def _float_product(acc: int, multiplier: float, profile: str) -> int:
    """Spec: AQ-FIXED-5, AQ-FIXED-6."""
    digits, (numerator, denominator) = DIGITS[profile], multiplier.as_integer_ratio()
    product = _significant(_significant(acc, digits) * _significant(numerator, digits), digits)
    binary_places = denominator.bit_length() - 1
    if profile == "float32":
        return _half_even(product, binary_places)
    away = (abs(product) + (denominator >> 1)) >> binary_places  # a tie goes away from zero
    return away if product >= 0 else -away


def _significant(value: int, digits: int) -> int:
    """Round an integer to so many binary digits, ties to even, as a conversion to float does."""
    dropped = max(abs(value).bit_length() - digits, 0)
    return _half_even(value, dropped) << dropped


def _half_even(value: int, places: int) -> int:
    """Divide an integer by 2^places and round, ties to even."""
    if places == 0:
        return value
    odd = value >> places & 1
    return (value + (1 << places - 1) - 1 + odd) >> places
