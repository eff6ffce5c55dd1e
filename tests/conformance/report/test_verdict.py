from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.conformance.expected import requantize_int64
from aquant_ref.conformance.expected.results import Expected, expected
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report.verdict import verdicts

INT32 = st.integers(-(2**31), 2**31 - 1)


@pytest.mark.parametrize("profile", requantize_int64.PROFILES)
@pytest.mark.parametrize("rejects", [False, True])
def test_the_fast_judge_is_the_oracle(profile: str, rejects: bool) -> None:
    cases = generate(Selection("requantize", profile, rejects=rejects), range(3000))
    quick, slow = expected(cases), expected(cases, oracle=True)
    assert quick.refused.tolist() == slow.refused.tolist()
    assert quick.low[0][~quick.refused].tolist() == slow.low[0][~slow.refused].tolist()


@pytest.mark.parametrize("profile", requantize_int64.PROFILES)
@given(
    acc=INT32,
    m=st.integers(2**30 - 1, 2**31 - 1),
    shift=st.integers(-1, 63),
    zero=st.integers(-(2**15), 2**15),
)
def test_the_fast_judge_is_the_oracle_for_any_input(
    profile: str, acc: int, m: int, shift: int, zero: int
) -> None:
    fields = (acc, m, shift, zero, -(2**15), 2**16 - 1)
    operation = OPERATIONS["requantize"]
    columns = {f.name: np.array([v]) for f, v in zip(operation.fields, fields, strict=True)}
    case = Cases(operation, profile, ["0"], [("any",)], np.zeros(1, int), columns)
    quick, slow = expected(case), expected(case, oracle=True)
    assert quick.refused[0] == slow.refused[0]
    assert slow.refused[0] or quick.low[0][0] == slow.low[0][0]


def exact(values: list[float]) -> Expected:
    column = np.array(values)
    return Expected([column], [column], np.zeros(len(values), bool))


def test_a_value_passes_if_it_is_the_one_expected() -> None:
    got = Answers([np.array([1.0, 2.0, np.nan, -0.0])], {})
    assert verdicts(exact([1.0, 2.5, 3.0, 0.0]), got).tolist() == ["pass", "fail", "fail", "pass"]


def test_a_value_passes_inside_the_bounds_of_a_variation() -> None:
    bounded = Expected([np.array([3, 3, 3])], [np.array([4, 4, 4])], np.zeros(3, bool))
    got = Answers([np.array([3, 4, 5])], {})
    assert verdicts(bounded, got).tolist() == ["pass", "pass", "fail"]


def test_what_has_to_be_refused_passes_only_if_it_is() -> None:
    """Spec: AQ-CONF-3."""
    right = replace(exact([0, 0, 0, 0]), refused=np.ones(4, bool))
    got = Answers([np.zeros(4)], {1: ("error", "NaN"), 2: ("skip", ""), 3: ("missing", "")})
    assert verdicts(right, got).tolist() == ["fail", "pass", "unsupported", "missing"]


def test_of_several_results_all_have_to_be_right() -> None:
    right = Expected([np.array([1, 1]), np.array([2, 2])], [np.array([1, 1]), np.array([2, 2])],
                     np.zeros(2, bool))  # fmt: skip
    assert verdicts(right, Answers([np.array([1, 1]), np.array([2, 3])], {})).tolist() == [
        "pass",
        "fail",
    ]
