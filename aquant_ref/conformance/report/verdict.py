"""What is right, what came back, and the verdict on each case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aquant_ref.conformance import requantize_int64
from aquant_ref.conformance.cases.family import DTYPES, Array, Cases, objects
from aquant_ref.conformance.contract import Operation
from aquant_ref.conformance.expected import Refused
from aquant_ref.errors import printable

PASS, FAIL, DEVIATING, UNSUPPORTED, ERROR, MISSING = STATUSES = (
    *("pass", "fail", "deviating"),
    *("unsupported", "error", "missing"),
)
ANSWERS = {  # those without a value; only an error can be a refusal
    **{"skip": UNSUPPORTED, "missing": MISSING},
    **dict.fromkeys(("error", "invalid", "crash"), ERROR),
}
MOST_REASON = 200  # characters of what an implementation says


@dataclass(frozen=True)
class Expected:
    """For each result field what may come back, low..high, (n,) each; the same array twice where
    one answer is right. Where `refused`, no answer is right but a refusal. Spec: AQ-CONF-3.

    Of a tensor operation these, and the values of `Answers`, are arrays of arrays, None where there
    is no value.
    """

    low: Sequence[Array]
    high: Sequence[Array]
    refused: Array

    def text(self, k: int) -> str:
        """What is expected of the k-th case, for people."""
        if self.refused[k]:
            return "a refusal"
        return " ".join(_bounds(a[k], b[k]) for a, b in zip(self.low, self.high, strict=True))


@dataclass(frozen=True)
class Answers:
    """For each result field the values that came back, (n,).

    `other` has the cases without one: (what, reason), where what is one of ANSWERS, "invalid" for
    what is no answer. Reasons are made printable, and cut where they are long.
    """

    values: Sequence[Array]
    other: Mapping[int, tuple[str, str]]

    def __post_init__(self) -> None:
        told = {k: (what, printable(why, MOST_REASON)) for k, (what, why) in self.other.items()}
        object.__setattr__(self, "other", told)

    def text(self, k: int) -> str:
        """What came back for the k-th case, for people."""
        if k in self.other:
            return ": ".join(filter(None, self.other[k]))
        return " ".join(_text(values[k]) for values in self.values)


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"a tensor {value.shape}"
    return float(value).hex() if isinstance(value, np.floating) else str(value)


def _bounds(low: Any, high: Any) -> str:
    if isinstance(low, np.ndarray) or low == high:
        return _text(low)
    return f"{_text(low)}..{_text(high)}"


def told(expected: Expected, answers: Answers, k: int) -> tuple[str, str]:
    """What came back for the k-th case and what is expected, for people.

    Of tensors this is the first element that is wrong.
    """
    whole = answers.text(k), expected.text(k)
    if k in answers.other or expected.refused[k]:
        return whole
    for low, got, high in zip(expected.low, answers.values, expected.high, strict=True):
        if not isinstance(got[k], np.ndarray):
            continue
        if got[k].shape != low[k].shape:
            return f"shape {got[k].shape}", f"{low[k].shape}"
        wrong = ~_inside(low[k], got[k], high[k])
        if wrong.any():
            first = np.unravel_index(int(wrong.argmax()), wrong.shape)
            place = ", ".join(str(int(axis)) for axis in first)
            counted = f"({int(wrong.sum())} of {wrong.size} differ)"
            right = _bounds(low[k][first], high[k][first])
            return f"{_text(got[k][first])} at [{place}] {counted}", right
    return whole


def _inside(low: Any, got: Any, high: Any) -> Any:
    return (low <= got) & (got <= high)


def without(cases: Cases, what: str, reason: str) -> Answers:
    """No value for any of the cases, all for one reason."""
    nothing = values(cases.operation, len(cases))
    return Answers(nothing, dict.fromkeys(range(len(cases)), (what, reason)))


def values(operation: Operation, count: int) -> list[Array]:
    """For each result field a column for so many answers, of zeros; of tensors without any."""
    if operation.scalar:
        return [np.zeros(count, DTYPES[field.type]) for field in operation.result]
    return [objects([None] * count) for _ in operation.result]


def expected(cases: Cases, *, oracle: bool = False) -> Expected:
    """What the contract says; by the oracle alone if `oracle`, else by a faster judge if one is.

    Spec: AQ-CONF-3.
    """
    if not oracle and requantize_int64.covers(cases):
        codes, refused = requantize_int64.requantize(cases)
        return Expected((codes,), (codes,), refused)
    operation = cases.operation
    settings = {"profile": cases.profile} if operation.variations else {}
    refused = np.zeros(len(cases), bool)
    results = values(operation, len(cases))
    for k in range(len(cases)):
        try:
            answer = operation.judge(**cases.inputs(k), **settings)
        except Refused:
            refused[k] = True
            continue
        for field, column, value in zip(operation.result, results, answer, strict=True):
            column[k] = np.array(value, DTYPES[field.type]) if field.axes else value
    return Expected(results, results, refused)


def verdicts(expected: Expected, answers: Answers) -> Array:
    """One of STATUSES for each case, (n,). Spec: AQ-CONF-3.

    NaN is never right. The sign of a zero carries no meaning.
    """
    columns = zip(expected.low, answers.values, expected.high, strict=True)
    inside = np.logical_and.reduce(
        [(_each if low.dtype == object else _inside)(low, got, high) for low, got, high in columns]
    )
    status = np.where(inside & ~expected.refused, PASS, FAIL).astype("U11")
    for k, (what, _) in answers.other.items():
        refusal = what == "error" and expected.refused[k]
        status[k] = PASS if refusal else ANSWERS[what]
    return status


def _each(low: Array, got: Array, high: Array) -> Array:
    """Whether all elements of each tensor are inside; nothing is where one has no value."""

    def of_case(least: Any, value: Any, most: Any) -> bool:
        if least is None or value is None or value.shape != least.shape:
            return False
        return bool(_inside(least, value, most).all())

    return np.array(list(map(of_case, low, got, high)), bool)
