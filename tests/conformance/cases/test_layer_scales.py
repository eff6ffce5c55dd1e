"""Units, bias and output scale of a layer are exact."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from aquant_ref.conformance.cases.draw import CaseRandom
from aquant_ref.conformance.cases.layer_parts import linear_parts
from aquant_ref.conformance.cases.layer_scales import exact_units, scaled, spread_of
from aquant_ref.conformance.cases.selection import Selection

SOURCES = [str(k) for k in range(20)]


def test_the_spread_is_at_least_1() -> None:
    assert spread_of(np.array([[-7, 3]])) == 7
    assert spread_of(np.zeros((1, 2), np.int64)) == 1


@pytest.mark.parametrize("alike", [False, True])
def test_multipliers_are_exactly_a_factor_over_a_power_of_two(alike: bool) -> None:
    for key in SOURCES:
        scales, factors, shifts = exact_units(CaseRandom(key), 1000, 15, 3, alike=alike)
        for scale, factor, shift in zip(scales["weight_scale"], factors, shifts, strict=True):
            unit = Fraction(scales["x_scale"]) * Fraction(scale)
            assert unit / Fraction(scales["scale"]) == Fraction(int(factor), 2 ** int(shift))
        assert len(set(scales["weight_scale"])) == 1 or not alike


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_a_bias_is_a_whole_number_of_units_of_24_bits(granularity: str) -> None:
    selection = Selection("linear", granularity=(granularity,))
    for key in SOURCES:
        draw = CaseRandom(key)
        row = scaled(linear_parts(draw, (0, 15)), draw, selection, (0, 15), unlike=5)
        for scale, bias in zip(row["weight_scale"], row["bias"], strict=True):
            unit = Fraction(row["x_scale"]) * Fraction(scale)
            assert float(np.float32(float(unit))) == unit
            assert (Fraction(bias) / unit).denominator == 1
        assert (len(set(row["weight_scale"])) == 1) == (granularity == "tensor")
