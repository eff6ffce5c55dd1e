"""Each case of `matmul` is what its flag says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.contract import LAYER_VARIATIONS
from tests.conformance.cases.rows import HALF, arrays

MEMBERS = 12


def accumulators(case: dict[str, Any]) -> Any:
    return np.einsum("bmk,bkn->bmn", case["a"] - case["a_zero"], case["b"] - case["b_zero"])


def multiplier(case: dict[str, Any]) -> Fraction:
    return Fraction(case["a_scale"]) * Fraction(case["b_scale"]) / Fraction(case["scale"])


@pytest.mark.parametrize("profile", ["ideal", "float32"])
@pytest.mark.parametrize(("flag", "beside"), [("tie", 0), ("near_tie", 1)])
def test_an_element_of_each_batch_is_a_tie_or_one_step_beside(
    flag: str, beside: int, profile: str
) -> None:
    for case in arrays(flag, "matmul", profile, n=MEMBERS):
        m = multiplier(case)
        for batch in accumulators(case):
            steps = {Fraction(int(v) + k) * m for v in batch.ravel() for k in (-beside, beside)}
            assert any(each % 1 == HALF for each in steps)


def test_products_are_the_largest() -> None:
    for case in arrays("type_end", "matmul", n=MEMBERS, bits=(8,)):
        summed = case["a"].shape[2]
        assert (abs(accumulators(case)) == summed * 255**2).all()


@pytest.mark.parametrize("flag", ["long", "wide"])
def test_one_axis_has_a_rest_after_each_vector(flag: str) -> None:
    for case in arrays(flag, "matmul", n=MEMBERS):
        _, rows, summed = case["a"].shape
        sizes = [summed] if flag == "long" else [rows, case["b"].shape[2]]
        assert any(n > 32 and n % 8 for n in sizes)


def test_most_elements_are_beyond_the_range_or_cut_by_a_relu() -> None:
    for case in arrays("saturation", "matmul", n=MEMBERS, bits=(8,)):
        steps = abs(accumulators(case) * float(multiplier(case)))
        assert steps.max() > 7 * 255
    for case in arrays("relu", "matmul", n=MEMBERS):
        assert case["qmin"] == case["zero_point"]


@pytest.mark.parametrize("profile", LAYER_VARIATIONS)
def test_no_accumulator_leaves_int32(profile: str) -> None:
    for flag in ("random", "long", "type_end"):
        for case in arrays(flag, "matmul", profile, n=MEMBERS):
            assert abs(accumulators(case)).max() < 2**31
