"""Compute the expected results of many cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import DTYPES, Cases, blank_results
from aquant_ref.conformance.expected import requantize_int64, sums
from aquant_ref.conformance.expected.functions import Bounds
from aquant_ref.conformance.expected.refusal import Refused
from aquant_ref.typing import Array, Mask

if TYPE_CHECKING:
    from aquant_ref.conformance.contract import Operation


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

    def take(self, chosen: Sequence[int] | Array) -> Expected:
        """Select what is expected of the cases at these positions."""
        low, high = ([column[chosen] for column in each] for each in (self.low, self.high))
        return Expected(low, high, self.refused[chosen])


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
    most = blank_results(operation, len(cases)) if bounded(operation, cases.profile) else results
    for k in range(len(cases)):
        try:
            answer = operation.expected(**cases.inputs(k), **settings)
        except Refused:
            refused[k] = True
            continue
        for field, low, high, value in zip(operation.result, results, most, answer, strict=True):
            ends = value if isinstance(value, Bounds) else (value, value)
            for column, end in zip((low, high), ends, strict=True):
                column[k] = np.array(end, DTYPES[field.type]) if field.axes else end
    return Expected(results, most, refused)


def bounded(operation: Operation, profile: str) -> bool:
    """Tell whether several answers may be right."""
    chosen = operation.alternatives.get(profile)
    return chosen is not None and chosen.bounded
