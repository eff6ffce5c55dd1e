"""Each case of `quantize` in float32 is what its flag says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.cases.quantize_float32 import FAMILIES
from tests.conformance.cases.rows import is_tie, rows
from tests.conformance.cases.test_quantize import steps

WAYS = sorted(FAMILIES)


def single(value: Fraction) -> Fraction:
    """The nearest float32 of a number whose float64 is no tie of float32."""
    return Fraction(float(np.float32(float(value))))


def product(case: dict[str, Any]) -> Fraction:
    """The float32 product with the reciprocal."""
    return single(Fraction(case["r"]) * single(1 / Fraction(case["scale"])))


@pytest.mark.parametrize("profile", WAYS)
def test_reals_and_scales_are_float32(profile: str) -> None:
    for flag in ("tie", "near_tie", "range_end", "relu", "relu6", "random", "fused"):
        for case in rows(flag, "quantize", profile, n=20):
            assert float(np.float32(case["r"])) == case["r"]
            assert float(np.float32(case["scale"])) == case["scale"]


def test_ties_are_exact_and_near_ties_none() -> None:
    assert all(is_tie(steps(case)) for case in rows("tie", "quantize", "float32"))
    assert not any(is_tie(steps(case)) for case in rows("near_tie", "quantize", "float32"))


def test_quotient_and_product_part_at_ties() -> None:
    cases = list(rows("quotient_tie", "quantize", "float32"))
    assert sum(is_tie(single(steps(case))) for case in cases) > 45  # of 60
    assert sum(is_tie(single(steps(case))) and not is_tie(product(case)) for case in cases) > 10
    apart = 0
    for case in rows("product_tie", "quantize", "float32"):
        apart += is_tie(product(case)) and not is_tie(single(steps(case)))
    assert apart > 10  # of 60


def test_a_zero_point_absorbs_the_distance_to_a_tie() -> None:
    absorbed = 0
    for case in rows("absorbed", "quantize", "float32_zero_first"):
        assert not is_tie(steps(case))
        absorbed += is_tie(single(steps(case) + case["zero_point"]))
    assert absorbed > 30  # of 60
