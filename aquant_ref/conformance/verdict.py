"""What is right, what came back, and the verdict on each case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aquant_ref.conformance import fast
from aquant_ref.conformance.cases.family import DTYPES, Array, Cases
from aquant_ref.conformance.judges import Refused

PASS, FAIL, DEVIATING, UNSUPPORTED, ERROR, MISSING = STATUSES = (
    *("pass", "fail", "deviating"),
    *("unsupported", "error", "missing"),
)
ANSWERS = {"skip": UNSUPPORTED, "error": ERROR, "missing": MISSING}  # those without a value


@dataclass(frozen=True)
class Expected:
    """For each result field what may come back, low..high, (n,) each; the same array twice where
    one answer is right. Where `refused`, no answer is right but a refusal. Spec: AQ-CONF-3.
    """

    low: Sequence[Array]
    high: Sequence[Array]
    refused: Array

    def text(self, k: int) -> str:
        """What is expected of the k-th case, for people."""
        if self.refused[k]:
            return "a refusal"
        pairs = zip(self.low, self.high, strict=True)
        return " ".join(_text(a[k]) if a[k] == b[k] else f"{a[k]}..{b[k]}" for a, b in pairs)


@dataclass(frozen=True)
class Answers:
    """For each result field the values that came back, (n,).

    `other` has the cases without one: (what, reason), where what is "skip", "error" or "missing".
    """

    values: Sequence[Array]
    other: Mapping[int, tuple[str, str]]

    def text(self, k: int) -> str:
        """What came back for the k-th case, for people."""
        if k in self.other:
            return ": ".join(filter(None, self.other[k]))
        return " ".join(_text(values[k]) for values in self.values)


def _text(value: Any) -> str:
    return float(value).hex() if isinstance(value, np.floating) else str(value)


def expected(cases: Cases, *, oracle: bool = False) -> Expected:
    """What the contract says; by the oracle alone if `oracle`, else by a faster judge if one is.

    Spec: AQ-CONF-3.
    """
    if not oracle and fast.covers(cases):
        codes, refused = fast.requantize(cases)
        return Expected((codes,), (codes,), refused)
    operation = cases.operation
    settings = {"profile": cases.profile} if operation.variations else {}
    refused = np.zeros(len(cases), bool)
    results = tuple(np.zeros(len(cases), DTYPES[field.type]) for field in operation.result)
    for k in range(len(cases)):
        try:
            answer = operation.judge(**cases.inputs(k), **settings)
        except Refused:
            refused[k] = True
            continue
        for column, value in zip(results, answer, strict=True):
            column[k] = value
    return Expected(results, results, refused)


def verdicts(expected: Expected, answers: Answers) -> Array:
    """One of STATUSES for each case, (n,). Spec: AQ-CONF-3.

    NaN is never right. The sign of a zero carries no meaning.
    """
    inside = np.logical_and.reduce(
        [
            (low <= got) & (got <= high)
            for low, got, high in zip(expected.low, answers.values, expected.high, strict=True)
        ]
    )
    status = np.where(inside & ~expected.refused, PASS, FAIL).astype("U11")
    for k, (what, _) in answers.other.items():
        refusal = what == "error" and expected.refused[k]
        status[k] = PASS if refusal else ANSWERS[what]
    return status
