"""Each case of `dequantize` is what its flag says."""

from __future__ import annotations

import sys
from fractions import Fraction

from tests.conformance.cases.rows import rows

ENDS = {end for b in (2, 4, 8, 16) for end in (0, 2**b - 1, -(2 ** (b - 1)), 2 ** (b - 1) - 1)}


def test_codes_and_zero_points_are_ends_of_ranges() -> None:
    for case in rows("range_end", "dequantize"):
        assert {case["q"], case["zero_point"]} <= ENDS


def test_the_zero_point_is_the_code_that_means_0() -> None:
    assert all(case["q"] == case["zero_point"] for case in rows("zero", "dequantize"))


def test_most_inexact_products_need_more_than_53_bits() -> None:
    rounded = 0
    for case in rows("inexact", "dequantize"):
        exact = Fraction(case["scale"]) * (case["q"] - case["zero_point"])
        rounded += Fraction(float(exact)) != exact
    assert rounded > 30  # of 60


def test_tiny_scales_reach_the_subnormal_numbers() -> None:
    scales = {case["scale"] for case in rows("tiny", "dequantize")}
    assert min(scales) == 5e-324
    assert sum(scale < sys.float_info.min for scale in scales) == 2
