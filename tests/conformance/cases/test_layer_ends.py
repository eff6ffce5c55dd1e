"""Layers at the ends of fixed point are what their flags say."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from aquant_ref import oracle
from aquant_ref.conformance.cases.layer_large import accumulators
from tests.conformance.cases.rows import arrays, is_tie


@pytest.mark.parametrize("operation", ["conv2d", "depthwise", "linear"])
def test_mantissas_carry_and_shifts_are_those_at_the_ends(operation: str) -> None:
    """Spec: AQ-FIXED-1."""
    shifts, carried = set(), 0
    for row in arrays("multiplier_end", operation, edition=5, profile="exact", n=12):
        unit = Fraction(row["x_scale"]) * Fraction(float(row["weight_scale"][0]))
        m = unit / Fraction(row["scale"])
        multiplier, shift = oracle.multiplier(m)
        if m < Fraction(multiplier, 2**shift) and multiplier == 2**30:
            carried += 1
            totals = [a + int(Fraction(b) / unit) for (a,), b in totals_of(row)]
            assert all(is_tie(Fraction(t * multiplier, 2**shift)) for t in totals)
        else:
            shifts.add(shift)
    assert carried == 6
    assert shifts == {0, 1, 62}


def totals_of(row: dict[str, Any]) -> Any:
    return zip(accumulators(row).tolist(), row["bias"].tolist(), strict=True)


@pytest.mark.parametrize(("bits", "signs"), [(8, "signed"), (8, "unsigned"), (16, "signed")])
def test_a_sum_of_products_is_the_least_int32(bits: int, signs: str) -> None:
    chosen: dict[str, Any] = {
        "bits": (bits,),
        "signs": (signs,),
        "edition": 5,
        "size": "large",
        "n": 1,
    }
    for row in arrays("sum_end", "linear", "exact", **chosen):
        assert accumulators(row).min() == -(2**31)
        assert not row["bias"].any()
