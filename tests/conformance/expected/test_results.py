"""Expected results of many cases."""

from __future__ import annotations

from typing import Any

import numpy as np

from aquant_ref.conformance.cases.family import Cases, objects
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.conformance.expected.results import expected


def cases_of(operation: str, rows: list[tuple[Any, ...]]) -> Cases:
    """Cases of these fields, in the order of the contract."""
    made, count = OPERATIONS[operation], len(rows)
    columns = {
        field.name: np.array(column) if made.scalar else objects(column)
        for field, column in zip(made.fields, zip(*rows, strict=True), strict=True)
    }
    ids = [str(k) for k in range(count)]
    return Cases(made, made.choices[0], ids, [("given",)], np.zeros(count, int), columns)


def test_each_case_has_its_answer_or_is_refused() -> None:
    right = expected(cases_of("clip", [(9, 0, 7), (9, 7, 0), (-9, 0, 7)]))
    assert right.refused.tolist() == [False, True, False]
    assert right.low[0][[0, 2]].tolist() == [7, 0]
    assert right.high is right.low


def test_an_operation_with_two_results_has_two_columns() -> None:
    right = expected(cases_of("multiplier", [(0.5,), (1.0,)]))
    assert [column.tolist() for column in right.low] == [[2**30, 2**30], [31, 30]]


def test_a_tensor_that_is_refused_has_no_answer() -> None:
    windows = np.array([1, 2]), np.array([1, 1]), np.zeros(4, int), np.array([1, 1])
    image, none = np.array([[[3, 5]]]), np.array([[[3]]])
    right = expected(cases_of("max_pool2d", [(image, *windows), (none, *windows)]))
    assert right.low[0][0].tolist() == [[[5]]]
    assert right.low[0][1] is None
    assert right.refused.tolist() == [False, True]
