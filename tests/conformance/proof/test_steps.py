"""The steps of a rule are where its results change."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref.conformance.expected import Refused
from aquant_ref.conformance.proof.steps import admitted, beside, expanded, steps
from tests.conformance.proof.test_prove import FIXED, settings_of


@settings(max_examples=30)
@given(st.lists(st.integers(-50, 50), max_size=8), st.integers(-60, 0), st.integers(0, 60))
def test_the_steps_are_where_the_results_change(places: list[int], low: int, high: int) -> None:
    def rule(key: int) -> int:
        return sum(key >= place for place in places)

    starts, results = steps(rule, low, high)
    keys = np.arange(low, high + 1)
    expected = [rule(int(key)) for key in keys]
    assert expanded(np.array(starts), np.array(results), low, len(keys)).tolist() == expected
    assert len(set(results)) == len(results)


def test_a_setting_is_proved_where_the_contract_admits_it() -> None:
    """M >= 1 in tflite: 2^5 * acc has to stay inside int32."""
    (setting,) = settings_of("tflite_up", FIXED[5])
    assert admitted(setting.rule(), -(2**31), 2**31 - 1) == (-(2**26), 2**26 - 1)


def test_every_step_has_its_neighbours_on_both_sides() -> None:
    """Runs start at 0, 10 and 14; three keys each, joined where they meet."""
    assert beside([0, 10, 14], 3, 0, 40) == [(0, 2), (7, 16), (38, 40)]
    assert beside([0], 50, 0, 40) == [(0, 40)]


def test_a_rule_that_refuses_zero_admits_nothing() -> None:
    def rule(_: int) -> int:
        raise Refused

    assert admitted(rule, -9, 9) is None
