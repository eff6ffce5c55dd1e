"""Each case of `rescale_codes` is what its flag says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from aquant_ref.conformance.cases.rescale_codes import OF_PEERS
from tests.conformance.cases.rows import HALF, is_tie, rows

PROFILES = ["", *OF_PEERS]


def steps(case: dict[str, Any]) -> Fraction:
    return (case["x"] - case["x_zero"]) * Fraction(case["x_scale"]) / Fraction(case["scale"])


@pytest.mark.parametrize("profile", PROFILES)
def test_quotients_are_ties_and_both_neighbours_are_codes(profile: str) -> None:
    for case in rows("tie", "rescale_codes", profile):
        assert is_tie(steps(case))
        for neighbour in (steps(case) - HALF, steps(case) + HALF):
            assert case["qmin"] <= neighbour + case["zero_point"] <= case["qmax"]


@pytest.mark.parametrize("profile", PROFILES)
def test_quotients_are_within_the_last_bits_of_a_tie(profile: str) -> None:
    for case in rows("beside_tie", "rescale_codes", profile):
        assert abs(steps(case) % 1 - HALF) < abs(steps(case)) / 2**20


def test_a_first_rounding_has_one_bit_more_than_the_result() -> None:
    for case in rows("two_roundings", "rescale_codes", "tflite"):
        assert 2 <= case["scale"] / case["x_scale"] <= 4


def test_scales_are_the_same_or_the_code_is_at_an_end() -> None:
    for case in rows("same_scale", "rescale_codes"):
        assert case["scale"] == case["x_scale"]
    ends = {0, 3, 15, 255, 65535, -2, 1, -8, 7, -128, 127, -32768, 32767}
    assert {case["x"] for case in rows("range_end", "rescale_codes")} <= ends


def test_codes_may_have_another_sign_than_the_result() -> None:
    both = [
        (case["x_zero"] < 0, case["qmin"] < 0)
        for case in rows("random", "rescale_codes", bits=(8,))
    ]
    assert {(True, False), (False, True)} <= set(both)


def test_refused_scales_are_none_and_ratios_are_beyond_the_engine() -> None:
    for case in rows("no_scale", "rescale_codes", rejects=True):
        assert min(case["scale"], case["x_scale"]) <= 0
    for case in rows("ratio", "rescale_codes", "xnnpack", rejects=True):
        assert not 2.0**-8 <= case["x_scale"] / case["scale"] <= 2.0**7
