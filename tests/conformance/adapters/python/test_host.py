"""The process that has an adapter: what it answers, without the process."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import Adapter, Capabilities
from aquant_ref.conformance.adapters.asking import Asked
from aquant_ref.conformance.adapters.python.host import Service, serve
from aquant_ref.conformance.adapters.python.messages import message, of_cases, received
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.errors import InputError


class Mine(Adapter):
    def capabilities(self) -> Capabilities:
        return Capabilities(bits=(8,), by_operation={"linear": {"requantization": ["float64"]}})

    def clip(self, *, v: Any, low: Any, high: Any) -> Any:
        self.problems.add("odd", f"{len(v)} at once")
        return np.clip(v, low, high)


def told(question: dict[str, Any]) -> list[Any]:
    return [*Service(Asked(Mine())).answers(question)]


def test_an_adapter_says_what_it_is() -> None:
    (declared,) = told({"do": "capabilities"})
    assert Capabilities(**declared) == Mine().capabilities()
    assert told({"do": "supports", "operation": "clip"}) == [True]
    assert told({"do": "supports", "operation": "add"}) == [False]
    assert told({"do": "reaches", "operation": "add"}) == [True]
    assert told({"do": "start"}) == [None]


@pytest.mark.parametrize("alone", [False, True])
def test_cases_are_answered_together_or_alone(alone: bool) -> None:
    selection = Selection("clip")
    cases = generate(selection, range(3))
    found = told({"do": "answer", "alone": alone, **of_cases(selection, cases)})
    expected = np.clip(*(cases.columns[name] for name in ("v", "low", "high")))
    assert np.array_equal(np.concatenate([each["values"][0] for each in found]), expected)
    assert len(found) == (3 if alone else 1)
    assert [each["counts"] for each in found] == [{"odd": 1}] * len(found)  # each problem once
    assert [each["first"] for each in found] == [[f"odd: {1 if alone else 3} at once"]] * len(found)


def test_questions_are_read_and_answered_until_there_are_no_more() -> None:
    questions = [{"do": "supports", "operation": "clip"}, {"do": "reaches", "operation": "sclip"}]
    stdin = io.BytesIO(b"".join(bytes(part) for each in questions for part in message(each)))
    stdout = io.BytesIO()
    serve("aquant_ref.conformance.adapters:OracleAdapter", stdin, stdout)
    lines = [received(line, lambda count: bytearray()) for line in stdout.getvalue().splitlines()]
    assert lines[:2] == [{"value": "oracle"}, {"value": True}]
    assert lines[2]["wrong"].startswith("unknown operation 'sclip'")


def test_an_adapter_that_cannot_be_made_is_one_line() -> None:
    stdout = io.BytesIO()
    serve("no_such:Thing", io.BytesIO(), stdout)
    (line,) = stdout.getvalue().splitlines()
    wrong = received(line, lambda count: bytearray())["wrong"]
    assert wrong.startswith("adapter: 'no_such:Thing' cannot be created")
    with pytest.raises(InputError):
        raise InputError(wrong)
