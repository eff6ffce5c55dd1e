from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest

from aquant_ref import oracle
from aquant_ref.conformance.cases.layer_large import accumulators
from tests.conformance.cases.rows import arrays


@pytest.mark.parametrize("operation", ["conv2d", "depthwise", "linear"])
@pytest.mark.parametrize("profile", ["exact", "ideal"])
def test_a_close_tie_is_one_for_float64_alone(operation: str, profile: str) -> None:
    """Past miss: layers in float64 passed as `exact`."""
    signs, shifts = set(), set()
    for row in arrays("close_tie", operation, edition=7, profile=profile, n=12):
        unit = Fraction(row["x_scale"]) * Fraction(float(row["weight_scale"][0]))
        m = unit / Fraction(row["scale"])
        multiplier, shift = oracle.multiplier(m)
        assert m == Fraction(multiplier, 2**shift)
        shifts.add(shift)
        for (acc,), bias in zip(accumulators(row).tolist(), row["bias"].tolist(), strict=True):
            total = acc + Fraction(bias) / unit
            t = total * m
            assert -(2**31) <= total < 2**31
            assert total.denominator == 1
            assert 0 < Fraction(1, 2) - abs(t) % 1 < Fraction(50, 2**shift)
            assert (abs(float(total) * float(m)) - 0.5).is_integer()
            assert row["qmin"] <= floor(t) + row["zero_point"] < row["qmax"]
            signs.add(t > 0)
    assert signs == {True, False}
    assert len(shifts) > 1
