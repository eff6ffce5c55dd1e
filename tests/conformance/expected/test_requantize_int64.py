"""The fast judge of `requantize` is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.conformance.expected import requantize_int64
from aquant_ref.conformance.expected.results import expected

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


def test_only_integer_variations_of_requantize_are_covered() -> None:
    for operation, profile, covered in (
        ("requantize", "exact", True),
        ("requantize", "float32", False),
        ("clip", "", False),
    ):
        cases = generate(Selection(operation, profile), range(1))
        assert requantize_int64.covers(cases) == covered
