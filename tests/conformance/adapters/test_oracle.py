"""The oracle as an adapter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.adapters import OracleAdapter
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.conformance.expected import Refused
from tests.conformance.adapters.by_hand import IN_INTEGERS, SCALARS, TENSORS, answer, columns


@pytest.mark.parametrize("operation", [*SCALARS, *IN_INTEGERS])
def test_columns_are_answered_case_by_case(operation: str) -> None:
    fields, right = {**SCALARS, **IN_INTEGERS}[operation]
    assert answer(OracleAdapter(), operation, columns(fields)) == [right]


@pytest.mark.parametrize("operation", TENSORS)
def test_tensors_are_answered_one_at_a_time(operation: str) -> None:
    fields, right = TENSORS[operation]
    assert answer(OracleAdapter(), operation, fields) == right


def test_it_has_every_operation_and_nothing_else() -> None:
    adapter: Any = OracleAdapter()
    assert all(map(adapter.supports, OPERATIONS))
    with pytest.raises(AttributeError):
        adapter.softmax  # noqa: B018
    with pytest.raises(Refused):
        adapter.clip(v=np.array([0]), low=np.array([1]), high=np.array([0]))
