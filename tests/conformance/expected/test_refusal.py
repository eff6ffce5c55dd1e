"""What is outside the contract is refused."""

from __future__ import annotations

import pytest

from aquant_ref.conformance.expected.refusal import INT32_MAX, INT32_MIN, Refused, need


def test_only_what_does_not_hold_is_refused() -> None:
    need(True)
    with pytest.raises(Refused):
        need(False)


def test_the_ends_of_int32_are_those_of_two_complement() -> None:
    assert (INT32_MIN, INT32_MAX) == (-2147483648, 2147483647)
