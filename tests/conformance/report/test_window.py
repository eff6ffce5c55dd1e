"""A wrong tensor is shown around its first difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import Adapter, verify
from aquant_ref.conformance.adapters import EngineAdapter
from aquant_ref.conformance.cases.family import Cases, objects
from aquant_ref.conformance.contract import get
from aquant_ref.conformance.expected.results import Expected
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report import html
from aquant_ref.conformance.report.window import window

RIGHT = np.arange(2 * 5 * 9).reshape(2, 5, 9)


def shown(got: np.ndarray, right: np.ndarray = RIGHT, operation: str = "max_pool2d") -> Any:
    cases = Cases(get(operation), "engine", ["a"], [("made",)], np.zeros(1, int), {})
    columns = [objects([right])]
    expected = Expected(columns, columns, np.zeros(1, bool))
    return window(cases, expected, Answers([objects([got])], {}), 0)


def test_rows_and_columns_beside_the_first_difference_are_shown() -> None:
    got = RIGHT.copy()
    got[1, 2, 4] = -1
    got[1, 3, 1] = 7
    got[1, 4, 4] = 7  # too far away
    assert shown(got) == (
        "q[1, 1, 1:8]: got 55 56 57 58 59 60 61, expected 55 56 57 58 59 60 61",
        "q[1, 2, 1:8]: got 64 65 66 [-1] 68 69 70, expected 64 65 66 67 68 69 70",
        "q[1, 3, 1:8]: got [7] 74 75 76 77 78 79, expected 73 74 75 76 77 78 79",
    )


def test_the_window_ends_where_the_tensor_does() -> None:
    got = RIGHT.copy()
    got[0, 0, 0] = 5
    assert shown(got) == (
        "q[0, 0, 0:4]: got [5] 1 2 3, expected 0 1 2 3",
        "q[0, 1, 0:4]: got 9 10 11 12, expected 9 10 11 12",
    )


def test_a_row_alone_is_shown_as_one() -> None:
    assert shown(np.array([1, 2, 9]), np.array([1, 2, 3]), "linear") == (
        "q[0:3]: got 1 2 [9], expected 1 2 3",
    )


@pytest.mark.parametrize("got", [RIGHT, RIGHT[:1], np.zeros((0, 0, 0), int)])
def test_a_right_tensor_and_one_of_another_shape_have_none(got: np.ndarray) -> None:
    assert shown(got) == ()


def test_the_report_shows_it_and_neither_numbers_nor_refusals_have_one() -> None:
    class Adds(EngineAdapter):
        def max_pool2d(self, **fields: Any) -> Any:
            answer = super().max_pool2d(**fields)
            answer[0, -1, -1] += 1
            return answer

        def clip(self, **fields: Any) -> Any:
            return super().clip(**fields) + 1

    report = verify(Adds(), operations=["max_pool2d", "clip"], generated=0)
    assert all(bool(f.window) == (f.operation == "max_pool2d") for f in report.failures)
    first = next(f for f in report.failures if f.window)
    assert f"\n      {first.window[0]}\n" in report.text()
    assert report.as_json()["failures"][0]["window"]
    assert first.window[0] in html.document(report)

    class Refuses(Adapter):
        def max_pool2d(self, **fields: Any) -> Any:
            raise ValueError

    refused = verify(Refuses(), operations=["max_pool2d"], generated=0)
    assert not any(f.window for f in refused.failures)
