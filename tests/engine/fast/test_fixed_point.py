from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from aquant_ref import oracle
from aquant_ref.quant.fixed_point import PROFILES
from tests.engine.test_fixed_point import border, computed_by_both, rescale


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("m", [Fraction(1, 2), Fraction(3, 8), Fraction(1, 3), Fraction(5, 2**20)])
def test_a_rescaling_equals_the_oracle_at_ties_and_type_ends(profile: str, m: Fraction) -> None:
    """Spec: AQ-FIXED-8."""
    for left, bias in [(0, 0), (0, 7), (5, -3)]:
        ends = [-(2**31) >> left, (2**31 - 8) >> left, 2**24 + 1, -(2**24) - 3]
        accs = [*range(-20, 20), *(a for a in ends if abs(a) << left < 2**31 - 8)]
        x = np.array(accs).reshape(-1, 1, 1, 1)
        computed = computed_by_both(rescale(profile, m, left, bias), x)
        expected = [oracle.rescale((acc << left) + bias, m, profile) for acc in accs]
        assert computed.dtype == np.int32
        assert computed.ravel().tolist() == expected


@pytest.mark.parametrize("profile", ["exact", "float32", "float64"])
def test_what_leaves_int32_saturates_after_the_rounding(profile: str) -> None:
    x = np.array([-(2**31), -1, 0, 1, 2**31 - 1]).reshape(-1, 1, 1, 1)
    computed = computed_by_both(rescale(profile, Fraction(2**30)), x).ravel().tolist()
    assert computed == [-(2**31), -(2**30), 0, 2**30, 2**31 - 1]


def test_codes_of_more_than_8_bits_are_uint16() -> None:
    for bits, dtype in ((8, np.uint8), (9, np.uint16)):
        codes = computed_by_both(border(bits, 0, 3), np.array([[2**20]]))
        assert (codes.item(), codes.dtype) == (2**bits - 1, dtype)
