"""Each case of `concat` is what its flag says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.conformance.cases.rows import HALF, arrays, is_tie

MEMBERS = 20


def firsts(case: dict[str, Any]) -> list[Fraction]:
    """The first value of each tensor, in steps of the result."""
    starts = np.cumsum(case["channels"]) - case["channels"]
    codes = case["x"][starts, 0, 0] - case["x_zero"]
    return [
        int(q) * Fraction(s) / Fraction(case["scale"])
        for q, s in zip(codes, case["x_scale"].tolist(), strict=True)
    ]


@pytest.mark.parametrize("profile", ["", "float32", "tflite"])
def test_a_value_of_each_tensor_is_a_tie_or_beside_one(profile: str) -> None:
    for case in arrays("tie", "concat", profile, n=MEMBERS):
        assert all(map(is_tie, firsts(case)))
    for case in arrays("beside_tie", "concat", profile, n=MEMBERS):
        assert all(abs(each % 1 - HALF) < abs(each) / 2**21 for each in firsts(case))


def test_one_tensor_has_the_parameters_of_the_result() -> None:
    for case in arrays("same", "concat", n=MEMBERS):
        pairs = zip(case["x_scale"].tolist(), case["x_zero"].tolist(), strict=True)
        assert (case["scale"], case["zero_point"]) in pairs


def test_channels_add_up_unless_that_is_the_fault() -> None:
    for flag in ("random", "saturation", "relu"):
        for case in arrays(flag, "concat", n=MEMBERS):
            assert case["channels"].sum() == len(case["x"])
            assert len(set(case["channels"].tolist())) > 1
    for case in arrays("wrong_sizes", "concat", n=MEMBERS, rejects=True):
        assert case["channels"].sum() > len(case["x"])
    for case in arrays("no_scale", "concat", n=MEMBERS, rejects=True):
        assert case["x_scale"].min() <= 0
