"""Each case of `border` is what its flag says."""

from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.conformance.expected.scalar import border
from tests.conformance.cases.rows import rows


def fraction(case: dict[str, Any]) -> int:
    """The fraction of T after it is clipped."""
    clipped = min(max(case["t"], case["low"]), case["high"])
    return int(clipped % 2 ** case["fraction_bits"])


def went_up(case: dict[str, Any]) -> bool:
    """Whether the oracle rounds up."""
    clipped = min(max(case["t"], case["low"]), case["high"])
    whole = clipped // 2 ** case["fraction_bits"] + case["zero_point"]
    return bool(border(**case)[0] - whole)


@pytest.mark.parametrize("flag", ["at_lift", "large_products", "below_lift"])
def test_one_less_than_the_polynomial_decides(flag: str) -> None:
    """At P it goes up and at P - 1 down; so lift is as close as it can be."""
    for case in rows(flag, "border"):
        if fraction(case):
            up = went_up(case)
            assert up == (flag != "below_lift")
            assert went_up({**case, "lift": case["lift"] + (-1 if up else 1)}) != up


def test_a_whole_number_has_no_fraction_and_stays() -> None:
    for case in rows("whole", "border"):
        assert not fraction(case)
        assert not went_up(case)


def test_what_is_outside_is_beyond_both_ends_by_turns() -> None:
    sides = {case["t"] > case["high"] for case in rows("outside", "border")}
    assert sides == {True, False}
    for case in rows("outside", "border"):
        assert not case["low"] <= case["t"] <= case["high"]


def test_coefficients_to_be_refused_are_beyond_2_to_the_29() -> None:
    for case in rows("no_border", "border", rejects=True):
        assert sum(abs(case[k]) for k in ("c0", "c1", "c2")) > 2**29


def test_a_whole_number_stays_where_its_lift_is_the_polynomial() -> None:
    for case in rows("whole_with_lift", "border", edition=2):
        assert not fraction(case)
        assert not went_up(case)
        if case["fraction_bits"]:
            above = {**case, "t": case["t"] + 1, "high": case["high"] + 1}
            assert went_up({**above, "c0": 0, "c1": 0, "c2": 0, "lift": 0})
