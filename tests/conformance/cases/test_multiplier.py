"""Each case of `multiplier` is what its flag says."""

from __future__ import annotations

from fractions import Fraction

import pytest

from aquant_ref import oracle
from tests.conformance.cases.rows import is_tie, rows


def exponent(m: Fraction) -> int:
    """The e with 2^30 <= m * 2^e < 2^31."""
    e = 0
    while m * Fraction(2) ** e >= 2**31:
        e -= 1
    while m * Fraction(2) ** e < 2**30:
        e += 1
    return e


def mantissa(m: float) -> Fraction:
    """The number brought to [2^30, 2^31), not rounded."""
    return Fraction(m) * Fraction(2) ** exponent(Fraction(m))


def test_powers_of_two_have_the_first_mantissa() -> None:
    assert {mantissa(case["m"]) for case in rows("power_of_two", "multiplier")} == {2**30}


def test_ties_of_the_mantissa_are_ties_and_their_neighbours_none() -> None:
    assert all(is_tie(mantissa(case["m"])) for case in rows("tie", "multiplier"))
    for case in rows("near_tie", "multiplier"):
        distance = abs(mantissa(case["m"]) % 1 - Fraction(1, 2))
        assert 0 < distance <= Fraction(2, 2**20)


def test_carries_reach_the_next_power_of_two_or_almost() -> None:
    carried = {
        mantissa(case["m"]) >= 2**31 - Fraction(1, 2) for case in rows("carry", "multiplier")
    }
    assert carried == {True, False}


@pytest.mark.parametrize(("rejects", "flag"), [(False, "last_shift"), (True, "beyond_last_shift")])
def test_the_last_shifts_are_62_and_0_and_what_is_beyond_63_and_less(
    rejects: bool, flag: str
) -> None:
    cases = rows(flag, "multiplier", rejects=rejects, edition=1)
    shifts = {oracle.multiplier(Fraction(case["m"]))[1] for case in cases}
    assert shifts == ({63, -1} if rejects else {62, 0})


def test_above_one_is_above_one_and_large_shifts_are_large() -> None:
    assert all(case["m"] >= 1 for case in rows("above_one", "multiplier"))
    cases = rows("large_shift", "multiplier")
    assert {oracle.multiplier(Fraction(case["m"]))[1] for case in cases} <= set(range(48, 63))
