"""Each case in float16 and bfloat16 is what its flag says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref import oracle
from aquant_ref.conformance.cases.half import DEQUANTIZE, QUANTIZE
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.errors import InputError
from tests.conformance.cases.rows import is_tie, members, rows
from tests.conformance.cases.test_quantize import steps

TYPES = sorted(QUANTIZE)


def half(value: Fraction, profile: str) -> Fraction:
    """The nearest number of the type."""
    return oracle.to_float(value, *((8, -133) if profile == "bfloat16" else (11, -24)))


@pytest.mark.parametrize("profile", TYPES)
def test_reals_and_scales_are_numbers_of_the_type(profile: str) -> None:
    for family in QUANTIZE[profile]:
        if not family.rejects:
            for case in rows(family.flag, "quantize", profile, n=20):
                assert case["rounding"] == "half_even"
                for name in ("r", "scale"):
                    if np.isfinite(case[name]):
                        assert half(Fraction(case[name]), profile) == case[name], family.flag


@pytest.mark.parametrize("profile", TYPES)
def test_ties_are_exact_and_near_ties_none(profile: str) -> None:
    assert all(is_tie(steps(case)) for case in rows("tie", "quantize", profile))
    assert not any(is_tie(steps(case)) for case in rows("near_tie", "quantize", profile))


@pytest.mark.parametrize("profile", TYPES)
def test_quotients_and_products_are_rounded_to_ties(profile: str) -> None:
    def rounded(case: dict[str, Any]) -> bool:
        return is_tie(half(steps(case), profile)) and not is_tie(steps(case))

    assert sum(map(rounded, rows("quotient_tie", "quantize", profile))) > 54  # of 60
    products = 0
    if profile == "float16_to_float32":
        return
    for case in rows("product_tie", "quantize", profile):
        inverse = half(1 / Fraction(case["scale"]), profile)
        product = half(Fraction(case["r"]) * inverse, profile)
        products += is_tie(product) and not is_tie(half(steps(case), profile))
    assert products > 45  # of 60


def test_a_product_in_float32_is_beside_a_tie_that_the_quotient_is() -> None:
    beside = 0
    for case in rows("product_tie", "quantize", "float16_to_float32"):
        assert is_tie(steps(case))
        inverse = np.float32(1) / np.float32(case["scale"])
        beside += not is_tie(Fraction(float(np.float32(case["r"]) * inverse)))
    assert beside > 5  # of 60: most ties have few bits


@pytest.mark.parametrize("profile", TYPES)
def test_subnormal_numbers_are_more_than_half_a_step(profile: str) -> None:
    normal = 2.0**-126 if profile == "bfloat16" else 2.0**-14
    for case in rows("subnormal", "quantize", profile):
        assert 0 < abs(case["r"]) < normal
        assert abs(steps(case)) > Fraction(1, 2)


@pytest.mark.parametrize("profile", sorted(DEQUANTIZE))
def test_products_are_inexact_or_too_large(profile: str) -> None:
    def exact(case: dict[str, Any]) -> Fraction:
        return (case["q"] - case["zero_point"]) * Fraction(case["scale"])

    inexact = [half(exact(c), profile) != exact(c) for c in rows("inexact", "dequantize", profile)]
    assert sum(inexact) > 30  # of 60
    largest = 2.0**128 if profile == "bfloat16" else 65520
    beyond = [abs(exact(c)) >= largest for c in rows("overflow", "dequantize", profile)]
    assert 10 < sum(beyond) < 60


def test_other_rules_of_rounding_are_not_asked() -> None:
    for case in rows("tie", "quantize", "float16", n=20):
        assert case["rounding"] == "half_even"
    with pytest.raises(InputError, match="rounding: quantize in float16 has no such rule"):
        Selection("quantize", "float16", rounding=("half_up",))
    assert len(members("tie", "quantize", "float16", n=3)) == 3
