"""The deviations of engines that come with the kit: each shown by its minimal input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import contract
from aquant_ref.conformance.adapters.engines.names import ENGINES, known
from aquant_ref.conformance.cases.family import Cases, objects
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.expected.functions import Bounds
from aquant_ref.conformance.report.deviations import Deviation, Deviations

ENTRIES = [
    pytest.param(name, entry, id=f"{name} {entry.flag}")
    for name in ENGINES
    for entry in known(name).entries
    if not entry.cpu
]
PAIRS = ("stride", "padding", "dilation", "kernel")


def parts(entry: Deviation) -> tuple[str, str, dict[str, Any], Any, Any]:
    """Operation, profile, fields, the engine's answer, and the right one."""
    minimal = dict(entry.minimal)
    profile, got, right = (minimal.pop(key) for key in ("profile", "got", "expected"))
    return entry.flag.partition("/")[0].partition(":")[0], profile, minimal, got, right


@pytest.mark.parametrize(("name", "entry"), ENTRIES)
def test_the_oracle_gives_the_right_answer_to_a_minimal_input(name: str, entry: Deviation) -> None:
    operation, profile, fields, got, right = parts(entry)
    of = contract.get(operation)
    (answer,) = of.expected(**fields, **of.settings(profile))
    assert answer == (Bounds(right, right) if isinstance(answer, Bounds) else right)
    assert got != right


@pytest.mark.parametrize(("name", "entry"), ENTRIES)
def test_the_engine_gives_the_known_answer_to_a_minimal_input(
    name: str, entry: Deviation, engine: Any
) -> None:
    operation, profile, fields, got, _ = parts(entry)
    of = contract.get(operation)
    columns = {
        key: np.array([value])
        if of.scalar
        else objects([np.array(value) if isinstance(value, list) else value])
        for key, value in fields.items()
    }
    cases = Cases(of, profile, ["minimal"], [("minimal",)], np.array([0]), columns)
    answers = engine(name).answer(Selection(operation, profile, bits=(8,)), cases)
    if isinstance(got, str):
        assert answers.other[0][1] == got
    else:
        assert not answers.other
        assert np.array_equal(answers.values[0][0], got)


def test_a_shipped_deviation_by_which_nothing_deviates_is_not_stale() -> None:
    entry = Deviation("known-bug", "for another CPU", flag="clip/random")
    assert Deviations([entry]).stale()
    assert not Deviations([entry], shipped=True).stale()
    entry.deviated, entry.most, entry.farthest = 1, 1, 2
    assert Deviations([entry], shipped=True).stale()


def test_what_deviated_is_said_with_its_reason() -> None:
    entry = Deviation("known-bug", "wraps", flag="quantize/beyond_int32")
    assert Deviations([entry]).applied() == []
    entry.deviated = 2
    assert Deviations([entry]).applied() == [
        'deviation flag = "quantize/beyond_int32": 2 cases: wraps'
    ]
