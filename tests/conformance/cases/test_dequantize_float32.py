"""Each case of `dequantize` in float32 is what its flag says."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tests.conformance.cases.rows import rows


def test_scales_are_float32_numbers_of_24_bits() -> None:
    for flag in ("range_end", "inexact", "random"):
        for case in rows(flag, "dequantize", "float32"):
            assert float(np.float32(case["scale"])) == case["scale"]


def test_most_inexact_products_need_more_than_24_bits() -> None:
    rounded = 0
    for case in rows("inexact", "dequantize", "float32"):
        exact = Fraction(case["scale"]) * (case["q"] - case["zero_point"])
        rounded += Fraction(float(np.float32(float(exact)))) != exact
    assert rounded > 30  # of 60


def test_scales_to_be_refused_are_no_normal_float32_with_a_normal_reciprocal() -> None:
    for case in rows("no_scale", "dequantize", "float32", rejects=True):
        assert not 2.0**-126 <= case["scale"] <= 2.0**126
