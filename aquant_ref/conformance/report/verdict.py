"""Compare answers with what is expected: one verdict per case."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.typing import Array, Mask

if TYPE_CHECKING:
    from aquant_ref.conformance.expected.results import Expected
    from aquant_ref.conformance.protocol.answers import Answers

PASS, FAIL, DEVIATING, UNSUPPORTED, ERROR, MISSING = STATUSES = (
    *("pass", "fail", "deviating"),
    *("unsupported", "error", "missing"),
)
STATUS_OF = {  # of an answer without a value; "error" passes where a refusal is expected
    **{"skip": UNSUPPORTED, "missing": MISSING},
    **dict.fromkeys(("error", "invalid", "crash"), ERROR),
}


def verdicts(expected: Expected, answers: Answers) -> Array:
    """Return one of STATUSES for each case, (n,). Spec: AQ-CONF-3.

    NaN is never right. The sign of a zero carries no meaning.
    """
    columns = zip(expected.low, answers.values, expected.high, strict=True)
    right = np.logical_and.reduce(
        [
            (_all_within if low.dtype == object else _within)(low, answer, high)
            for low, answer, high in columns
        ]
    )
    status = np.where(right & ~expected.refused, PASS, FAIL).astype("U11")
    for k, (what, _) in answers.other.items():
        refusal = what == "error" and expected.refused[k]
        status[k] = PASS if refusal else STATUS_OF[what]
    return status


def _within(low: Any, answer: Any, high: Any) -> Any:
    return (low <= answer) & (answer <= high)


def _all_within(low: Array, answers: Array, high: Array) -> Mask:
    """Tell for each tensor whether all its elements are right; a missing tensor is wrong."""

    def of_case(least: Any, answer: Any, most: Any) -> bool:
        if least is None or answer is None or answer.shape != least.shape:
            return False
        return bool(_within(least, answer, most).all())

    return np.array(list(map(of_case, low, answers, high)), bool)


def difference(expected: Expected, answers: Answers, k: int) -> float:
    """Return how far the k-th answer is off, in codes or in reals; infinity if it has no value.

    Of a tensor that is the element that is farthest off; one of another shape has no value.
    """
    if k in answers.other or expected.refused[k]:
        return inf
    most = 0.0
    for low, column, high in zip(expected.low, answers.values, expected.high, strict=True):
        if np.shape(column[k]) != np.shape(low[k]):
            return inf
        numbers = zip(*(np.ravel(v).tolist() for v in (low[k], column[k], high[k])), strict=True)
        most = max([most, *(_off(*each) for each in numbers)])
    return most


def _off(low: float, got: float, high: float) -> float:
    """Return how far a Python number, which does not wrap, is from its bounds."""
    if low <= got <= high:
        return 0
    return inf if got != got else max(low - got, got - high)


def texts(expected: Expected, answers: Answers, k: int) -> tuple[str, str]:
    """Return what came back for the k-th case and what is expected, for people.

    For tensors, describe the first element that is wrong.
    """
    whole = _answer_text(answers, k), _expected_text(expected, k)
    if k in answers.other or expected.refused[k]:
        return whole
    for low, column, high in zip(expected.low, answers.values, expected.high, strict=True):
        answer = column[k]
        if not isinstance(answer, np.ndarray):
            continue
        if answer.shape != low[k].shape:
            return f"shape {answer.shape}", f"{low[k].shape}"
        wrong = ~_within(low[k], answer, high[k])
        if wrong.any():
            first = np.unravel_index(int(wrong.argmax()), wrong.shape)
            place = ", ".join(str(int(axis)) for axis in first)
            count = f"({int(wrong.sum())} of {wrong.size} differ)"
            right = _range_text(low[k][first], high[k][first])
            return f"{_text(answer[first])} at [{place}] {count}", right
    return whole


def _answer_text(answers: Answers, k: int) -> str:
    if k in answers.other:
        return ": ".join(filter(None, answers.other[k]))
    return " ".join(_text(column[k]) for column in answers.values)


def _expected_text(expected: Expected, k: int) -> str:
    if expected.refused[k]:
        return "a refusal"
    return " ".join(
        _range_text(a[k], b[k]) for a, b in zip(expected.low, expected.high, strict=True)
    )


def _range_text(low: Any, high: Any) -> str:
    if isinstance(low, np.ndarray) or low == high:
        return _text(low)
    return f"{_text(low)}..{_text(high)}"


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"a tensor {value.shape}"
    return float(value).hex() if isinstance(value, np.floating) else str(value)
