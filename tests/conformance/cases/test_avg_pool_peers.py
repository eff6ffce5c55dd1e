"""Each case of `avg_pool` in other engines is what its flag says."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from aquant_ref.conformance.cases.avg_pool_peers import MARGIN
from tests.conformance.cases.rows import HALF, is_tie, rows
from tests.conformance.cases.test_avg_pool import is_clipped, steps

STORED, REAL = ("tflite", "torch", "qnnpack"), ("onnx", "onnxruntime")


@pytest.mark.parametrize("profile", STORED)
def test_the_mean_of_stored_codes_is_a_tie_and_both_sides_have_one_scale(profile: str) -> None:
    for case in rows("tie", "avg_pool", profile):
        assert is_tie(Fraction(case["total"], case["count"]))
        assert (case["x_scale"], case["x_zero"]) == (case["scale"], case["zero_point"])


@pytest.mark.parametrize("profile", STORED)
def test_two_scales_are_two_in_float32_as_well(profile: str) -> None:
    for case in rows("unlike", "avg_pool", profile, rejects=True):
        assert np.float32(case["x_scale"]) != np.float32(case["scale"])


@pytest.mark.parametrize("profile", REAL)
def test_exact_means_have_units_that_float32_adds_up_without_error(profile: str) -> None:
    for case in rows("tie", "avg_pool", profile):
        assert is_tie(steps(case)) or is_clipped(case)
        assert np.frexp(case["x_scale"])[0] == 0.5


@pytest.mark.parametrize("profile", REAL)
@pytest.mark.parametrize("flag", ["random", "relu"])
def test_other_means_keep_their_distance_from_ties(flag: str, profile: str) -> None:
    for case in rows(flag, "avg_pool", profile):
        distance = abs(steps(case) % 1 - HALF)
        assert distance > Fraction(MARGIN) * (1 - Fraction(1, 2**20))
