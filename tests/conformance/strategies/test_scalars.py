from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref.conformance import OPERATIONS, Adapter, strategies
from aquant_ref.conformance.adapters import EngineAdapter
from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.protocol.answers import NOT_ASKED, Answers, without
from aquant_ref.errors import InputError
from aquant_ref.integer import requantize


@given(case=strategies.cases("requantize", bits=(8,)))
def test_the_example_of_the_module_holds(case: strategies.Case) -> None:
    assert requantize(**case.inputs) == case.expected


@pytest.mark.parametrize("operation", [*OPERATIONS])
@settings(max_examples=30)
@given(data=st.data())
def test_every_operation_has_a_strategy(operation: str, data: st.DataObject) -> None:
    case = data.draw(strategies.cases(operation))
    assert set(case.inputs) == {field.name for field in OPERATIONS[operation].fields}
    if OPERATIONS[operation].scalar:
        assert len(OPERATIONS[operation].result) == len(np.atleast_1d(case.expected))
    else:
        assert case.expected.ndim == len(OPERATIONS[operation].result[0].axes)


@pytest.mark.parametrize(
    ("operation", "alternative"),
    [(name, each) for name, op in OPERATIONS.items() for each in op.alternatives],
)
@settings(max_examples=20)
@given(data=st.data())
def test_every_alternative_has_a_strategy_that_the_engine_follows(
    operation: str, alternative: str, data: st.DataObject
) -> None:
    case = data.draw(strategies.cases(operation, alternative))
    if not OPERATIONS[operation].scalar:
        got = getattr(EngineAdapter(), operation)(**case.inputs, profile=alternative)
        bounded = OPERATIONS[operation].alternatives[alternative].bounded
        low, high = case.expected if bounded else (case.expected, case.expected)
        assert np.shape(got) == np.shape(low)
        assert ((low <= got) & (got <= high)).all()
        return
    columns = {
        name: value if isinstance(value, str) else np.array([value])
        for name, value in case.inputs.items()
    }
    answer = getattr(EngineAdapter(), operation)(**columns, profile=alternative)
    assert np.array_equal(np.ravel(answer), np.ravel(case.expected))


@settings(max_examples=50)
@given(case=strategies.cases("conv2d", "ideal", bits=(4,), granularity=("tensor",)))
def test_a_case_on_tensors_is_what_an_adapter_gets(case: strategies.Case) -> None:
    got = EngineAdapter().conv2d(**case.inputs, profile="ideal")
    assert np.array_equal(got, case.expected)
    assert len(set(case.inputs["weight_scale"])) == 1


class NeverPads(EngineAdapter):
    """Takes what is padded for the real zero's code 0."""

    def max_pool2d(self, *, x: Any, padding: Any, **rest: Any) -> Any:
        top, bottom, left, right = padding
        padded = np.pad(x, ((0, 0), (top, bottom), (left, right)))
        return super().max_pool2d(x=padded, padding=(0, 0, 0, 0), **rest)


def test_the_smallest_failure_on_tensors_is_small() -> None:
    found = strategies.smallest_failure(NeverPads(), Selection("max_pool2d", bits=(4,)))
    assert found is not None
    assert np.size(found["x"]) <= 10
    assert np.min(found["x"]) < 0
    assert any(found["padding"])


def test_a_wrong_selection_is_refused_when_the_strategy_is_made() -> None:
    with pytest.raises(InputError, match="unknown profile 'fast'"):
        strategies.cases("requantize", "fast")


class HalfEven(Adapter):
    def round(self, *, rounding: str, t: Any) -> Any:
        return np.rint(t).astype(np.int64)


def test_the_smallest_failure_of_an_adapter_is_small() -> None:
    selection = Selection("round", rounding=("half_up",))
    found = strategies.smallest_failure(HalfEven(), selection)
    assert found is not None
    assert found["rounding"] == "half_up"
    assert found["t"] == 0.5  # also where Hypothesis starts from a constant of some loaded module
    assert (
        strategies.smallest_failure(HalfEven(), Selection("round", rounding=("half_even",))) is None
    )


def test_an_adapter_that_is_given_up_is_told_by_the_last_input_it_got_wrong() -> None:
    """Past bug: Hypothesis found it flaky, which was a traceback."""

    class Tires(Adapter):
        asked = 0

        def answer(self, selection: Selection, cases: Cases) -> Answers:
            self.asked += 1
            if self.asked > 12:
                return without(cases, "missing", f"{NOT_ASKED}, as it crashed before")
            return without(cases, "crash", "signal SIGSEGV")

    smallest = strategies.smallest_failure(Tires(), Selection("clip"))
    assert smallest is not None
    assert smallest.keys() == {"v", "low", "high"}
