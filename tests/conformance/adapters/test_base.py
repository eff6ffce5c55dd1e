"""What an implementation offers the kit, and how it is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance.adapters.base import Adapter, given, words
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.errors import InputError


class Halves(Adapter):
    """Refuses 3 and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def clip(self, *, v: Any, low: Any, high: Any) -> Any:
        self.asked.append(len(v))
        if len(v) > 1 or v[0] == low[0]:
            raise ValueError("too many, or the lower end")
        return np.clip(v, low, high)


def test_a_column_that_is_refused_is_asked_in_halves_down_to_its_cases() -> None:
    cases = generate(Selection("clip"), range(4))
    adapter = Halves()
    answers = adapter.answer(Selection("clip"), cases)
    assert adapter.asked == [4, 2, 1, 1, 2, 1, 1]
    refused = np.flatnonzero(cases.columns["v"] == cases.columns["low"]).tolist()
    assert sorted(answers.other) == refused
    for what, reason in answers.other.values():
        assert (what, reason) == ("error", "ValueError: too many, or the lower end")


class Partly(Adapter):
    """Supports what `has` says, and counts its calls."""

    def __init__(self, has: Any) -> None:
        self.has, self.calls = has, 0

    def clip(self, *, v: Any, low: Any, high: Any) -> Any:
        self.calls += 1
        if not self.has(low).all():
            raise NotImplementedError("not these")
        return np.clip(v, low, high)

    def max_pool2d(self, *, x: Any, **windows: Any) -> Any:
        self.calls += 1
        if not self.has(x.min()):
            raise NotImplementedError("not these")
        return x


@pytest.mark.parametrize("count", [3, 500])
def test_what_is_not_implemented_for_some_cases_is_about_these(count: int) -> None:
    """Past bug: one case was about all that were asked with it."""
    cases = generate(Selection("clip"), range(count))
    adapter = Partly(lambda low: low < 0)  # signed codes alone
    answers = adapter.answer(Selection("clip"), cases)
    unsigned = np.flatnonzero(cases.columns["low"] >= 0)
    assert sorted(answers.other) == unsigned.tolist()
    assert set(answers.other.values()) == {("skip", "not these")}
    assert adapter.calls < 2 * count + 70


@pytest.mark.parametrize("operation", ["clip", "max_pool2d"])
def test_what_is_not_implemented_at_all_is_not_asked_case_by_case(operation: str) -> None:
    adapter = Partly(lambda low: low > 2**40)
    selection = Selection(operation)
    cases = generate(selection, range(400))
    answers = adapter.answer(selection, cases)
    assert len(answers.other) == 400
    assert set(answers.other.values()) == {("skip", "not these")}
    assert adapter.calls < 80


def test_one_family_that_is_implemented_is_asked_for() -> None:
    selection = Selection("clip")
    cases = generate(selection, range(1000))
    only = cases.kind == 2
    adapter = Partly(lambda low: np.isin(low, 5))
    cases.columns["low"][only] = 5
    answers = adapter.answer(selection, cases)
    assert np.flatnonzero(only).tolist() == sorted(set(range(1000)) - answers.other.keys())


def test_a_command_is_split_into_words() -> None:
    assert words("exec", "./k 'a b' c") == ["./k", "a b", "c"]
    for wrong in ("", "'"):
        with pytest.raises(InputError, match="exec: .* is not a command"):
            words("exec", wrong)


def test_a_pair_is_a_tuple_and_a_tensor_an_array() -> None:
    fields = {field.name: field for field in OPERATIONS["max_pool2d"].fields}
    assert given(fields["stride"], np.array([1, 2])) == (1, 2)
    x = np.zeros((1, 2, 2))
    assert given(fields["x"], x) is x
