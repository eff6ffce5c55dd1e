"""Each case of `activation` is what its flag says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.cases.activation import EXACT, exact_value
from aquant_ref.conformance.expected.functions import FUNCTIONS
from tests.conformance.cases.rows import HALF, arrays, is_tie

MEMBERS = 2 * len(FUNCTIONS)


def steps(case: dict[str, Any]) -> list[Fraction]:
    return [
        exact_value(
            case["function"], (q - case["x_zero"]) * Fraction(case["x_scale"]), case["alpha"]
        )
        / Fraction(case["scale"])
        for q in case["x"].tolist()
    ]


@pytest.mark.parametrize("flag", ["spread", "beside_tie", "saturation", "zero", "random"])
def test_every_function_is_asked(flag: str) -> None:
    cases = arrays(flag, "activation", n=len(FUNCTIONS))
    assert {case["function"] for case in cases} == set(FUNCTIONS)


def test_values_are_ties() -> None:
    for case in arrays("tie", "activation", n=MEMBERS):
        assert case["function"] in EXACT
        assert is_tie(steps(case)[0])


def test_a_value_is_beside_a_tie_and_both_neighbours_are_codes() -> None:
    for case in arrays("beside_tie", "activation", n=MEMBERS, bits=(8,)):
        near = [each for each in steps(case) if each and abs(each % 1 - HALF) < abs(each) / 2**22]
        assert near
        ends = case["qmin"] - case["zero_point"], case["qmax"] - case["zero_point"]
        assert any(ends[0] <= each - HALF and each + HALF <= ends[1] + HALF for each in near)


def test_codes_cover_the_range_and_results_fit_it() -> None:
    for case in arrays("spread", "activation", n=MEMBERS):
        assert {case["qmin"], case["qmax"], case["x_zero"]} <= set(case["x"].tolist())
        assert len(np.unique(case["x"])) >= min(4, case["qmax"] - case["qmin"])
    for case in arrays("zero", "activation", n=MEMBERS):
        assert set(case["x"].tolist()) == {case["x_zero"]}


def test_refused_scales_are_none() -> None:
    for case in arrays("no_scale", "activation", n=20, rejects=True):
        assert min(case["scale"], case["x_scale"]) <= 0
