"""Compute the expected results of many cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aquant_ref.conformance.cases.family import DTYPES, Cases, blank_results
from aquant_ref.conformance.expected import requantize_int64, sums
from aquant_ref.conformance.expected.refusal import Refused
from aquant_ref.typing import Array, Mask


@dataclass(frozen=True)
class Expected:
    """Hold what may come back: from low to high, (n,) for each result field. Spec: AQ-CONF-3.

    Where only one answer is right, low and high are the same array. Where `refused` is true, only
    a refusal is right. For an operation on tensors, low and high are arrays of arrays, with None
    where the input is refused.
    """

    low: Sequence[Array]
    high: Sequence[Array]
    refused: Mask


def expected(cases: Cases, *, oracle: bool = False) -> Expected:
    """Return what the contract expects. Spec: AQ-CONF-3.

    With `oracle`, only the oracle computes; otherwise a faster function does, where one exists.
    """
    if oracle:
        return _by_case(cases)
    if requantize_int64.covers(cases):
        codes, refused = requantize_int64.requantize(cases)
        return Expected((codes,), (codes,), refused)
    with sums.in_int64():
        return _by_case(cases)


def _by_case(cases: Cases) -> Expected:
    operation = cases.operation
    settings = operation.settings(cases.profile)
    refused = np.zeros(len(cases), bool)
    results = blank_results(operation, len(cases))
    for k in range(len(cases)):
        try:
            answer = operation.expected(**cases.inputs(k), **settings)
        except Refused:
            refused[k] = True
            continue
        for field, column, value in zip(operation.result, results, answer, strict=True):
            column[k] = np.array(value, DTYPES[field.type]) if field.axes else value
    return Expected(results, results, refused)
