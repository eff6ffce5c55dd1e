from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref.conformance import OPERATIONS, Adapter, strategies
from aquant_ref.conformance.selection import Selection
from aquant_ref.errors import InputError
from aquant_ref.integer import requantize


@given(case=strategies.cases("requantize", bits=(8,)))
def test_the_example_of_the_module_holds(case: strategies.Case) -> None:
    assert requantize(**case.inputs) == case.expected


@pytest.mark.parametrize("operation", [*OPERATIONS])
@settings(max_examples=30)
@given(data=st.data())
def test_every_scalar_operation_has_a_strategy(operation: str, data: st.DataObject) -> None:
    case = data.draw(strategies.cases(operation))
    assert set(case.inputs) == {field.name for field in OPERATIONS[operation].fields}
    assert len(OPERATIONS[operation].result) == len(np.atleast_1d(case.expected))


def test_a_wrong_selection_is_refused_when_the_strategy_is_made() -> None:
    with pytest.raises(InputError, match="profile: 'fast'"):
        strategies.cases("requantize", "fast")


class HalfEven(Adapter):
    def round(self, *, rounding: str, t: Any) -> Any:
        return np.rint(t).astype(np.int64)


def test_the_smallest_failure_of_an_adapter_is_small() -> None:
    selection = Selection("round", rounding=("half_up",))
    found = strategies.smallest_failure(HalfEven(), selection)
    assert found is not None
    assert found == {"rounding": "half_up", "t": 0.5}
    assert (
        strategies.smallest_failure(HalfEven(), Selection("round", rounding=("half_even",))) is None
    )
