"""The float simulation as an adapter: real numbers that are rounded once."""

from __future__ import annotations

import pytest

from aquant_ref.conformance.adapters import SimulationAdapter
from tests.conformance.adapters.by_hand import IN_INTEGERS, SCALARS, answer, columns


@pytest.mark.parametrize("operation", SCALARS)
def test_real_numbers_are_rounded_once(operation: str) -> None:
    fields, right = SCALARS[operation]
    assert answer(SimulationAdapter(), operation, columns(fields)) == [right]


def test_integer_operations_are_missing() -> None:
    assert not any(map(SimulationAdapter().supports, [*IN_INTEGERS, "program", "thresholds"]))
    assert SimulationAdapter().capabilities().requantization == ("ideal",)
