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
