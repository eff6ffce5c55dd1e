"""Provide Hypothesis strategies for inputs of the operations, for your own tests.

    @given(case=strategies.cases("requantize", bits=(8,)))
    def test_mine(case):
        assert mine(**case.inputs) == case.expected

The kit constructs half of the examples (ties, ends, odd zero points). The other half is drawn field
by field, so that a failure shrinks to small numbers and tensors. Borders, fused borders and
programs are only constructed. Needs Hypothesis.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from aquant_ref.conformance import contract
from aquant_ref.conformance.adapters.asking import Asked
from aquant_ref.conformance.adapters.base import given
from aquant_ref.conformance.cases.family import DTYPES, Cases, objects, plain
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.conformance.expected import Refused
from aquant_ref.conformance.expected.activations import ACTIVATIONS
from aquant_ref.conformance.expected.results import Expected
from aquant_ref.conformance.report.verdict import ERROR, FAIL, verdicts
from aquant_ref.conformance.strategies import tensors
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters import Adapter
    from aquant_ref.conformance.contract import Operation

INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
SCALES = st.builds(
    lambda m, e: float(np.ldexp(m, e)), st.integers(1, 2**24 - 1), st.integers(-32, -20)
)
REALS = st.one_of(  # simple fractions, ties among them, or any number
    st.builds(lambda n, k: n / 2**k, st.integers(-(2**20), 2**20), st.integers(0, 8)),
    st.floats(-(2.0**40), 2.0**40),
)
# 0, 1/2, -1/2, 1, ...: whichever of them fails first, shrinking tries 0 and 1/2
SIMPLEST = st.sampled_from([0.0, *(sign * k / 2 for k in range(1, 9) for sign in (1, -1))])


@dataclass(frozen=True)
class Case:
    """Hold one input, by field, as an `Adapter` gets it, and the only right answer.

    The answer is a number or a tensor, or a tuple of several.
    """

    inputs: dict[str, Any]
    expected: Any


def cases(operation: str, profile: str = "", **chosen: Any) -> st.SearchStrategy[Case]:
    """Return valid inputs of an operation with their answers; `chosen` is as for `Selection`.

    Raises InputError as `Selection` does.
    """
    selection = Selection(operation, profile, **chosen)
    return st.one_of(_both(selection))


def _both(selection: Selection) -> list[st.SearchStrategy[Case]]:
    """Return drawn inputs, if the operation allows them, and constructed ones."""
    scalar = contract.get(selection.operation).scalar
    drawn = _fields(selection) if scalar else tensors.fields(selection)
    both = [drawn, st.integers(0, 1 << 20).map(lambda k: _constructed(selection, k))]
    return [_judged(selection, inputs) for inputs in both if inputs is not None]


def _constructed(selection: Selection, k: int) -> dict[str, Any]:
    made = generate(selection, [k])
    if made.operation.scalar:
        return made.inputs(0)
    return {f.name: given(f, made.columns[f.name][0]) for f in made.operation.fields}


def _judged(
    selection: Selection, inputs: st.SearchStrategy[dict[str, Any]]
) -> st.SearchStrategy[Case]:
    """Keep the inputs inside the contract, and add their answers."""
    operation = contract.get(selection.operation)
    more = operation.settings(selection.profile)

    def judged(fields: dict[str, Any]) -> list[Case]:
        try:
            answer = operation.expected(**{k: plain(v) for k, v in fields.items()}, **more)
        except Refused:
            return []
        parts = answer if operation.scalar else tuple(map(np.array, answer))
        return [Case(fields, parts[0] if len(parts) == 1 else parts)]

    return inputs.map(judged).filter(bool).map(lambda cases: cases[0])


def _fields(
    selection: Selection, reals: st.SearchStrategy[float] = REALS
) -> st.SearchStrategy[dict[str, Any]]:
    """Draw every field on its own; codes are in the range drawn for them."""
    operation = contract.get(selection.operation)

    def of_range(ends: tuple[int, int]) -> st.SearchStrategy[dict[str, Any]]:
        codes = st.integers(*ends)
        known: dict[str, st.SearchStrategy[Any]] = {
            "rounding": st.sampled_from(selection.rounding),
            "activation": st.sampled_from(ACTIVATIONS),
            "qmin": st.just(ends[0]),
            "qmax": st.just(ends[1]),
            "multiplier": st.integers(2**30, 2**31 - 1),
            "shift": st.integers(0, 62),
            "border": st.floats(0, 1, exclude_min=True),
            "m": st.floats(2.0**-31, 2.0**30),
            "count": st.integers(1, 256),
            "total": st.integers(256 * ends[0], 256 * ends[1]),
            **dict.fromkeys(("scale", "a_scale", "b_scale", "x_scale"), SCALES),
            **dict.fromkeys(("zero_point", "a_zero", "b_zero", "x_zero", "a", "b", "q"), codes),
        }
        if operation.name == "border":
            known |= {
                "low": st.just(-ends[1] << 4),
                "high": st.just(ends[1] << 4),
                "fraction_bits": st.just(4),
                **dict.fromkeys(("c0", "c1", "c2"), st.integers(-(2**27), 2**27)),
            }
        usual = {"i32": INT32, "i64": INT64, "f64": reals}
        return st.fixed_dictionaries(
            {f.name: known[f.name] if f.name in known else usual[f.type] for f in operation.fields}
        )

    drawn = st.sampled_from(selection.ranges).flatmap(of_range)
    if operation.name == "avg_pool" and selection.profile in tensors.STORED_MEANS:
        return drawn.map(lambda f: {**f, "scale": f["x_scale"], "zero_point": f["x_zero"]})
    return drawn


def smallest_failure(adapter: Adapter, selection: Selection) -> dict[str, Any] | None:
    """Return the simplest input found that the adapter gets wrong; None if there is none.

    An adapter that crashes again and again is not asked any further; the last input is returned.
    """

    asked = Asked(adapter)
    found: list[dict[str, Any]] = []

    def wrong(case: Case) -> bool:
        if _agrees(asked, selection, case):
            return False
        found[:] = [case.inputs]
        return True

    quiet = settings(
        max_examples=500,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),  # to explain, which nobody reads, takes longest
    )
    operation, strategies = contract.get(selection.operation), _both(selection)
    if operation.scalar and any(field.type == "f64" for field in operation.fields):
        strategies.insert(0, _judged(selection, _fields(selection, SIMPLEST)))
    for strategy in strategies:  # the simplest first; what is drawn shrinks better than the rest
        with suppress(NoSuchExample, GivenUp):
            find(strategy, wrong, settings=quiet)
        if found:
            return {k: plain(v) for k, v in found[0].items()}
    return None


class GivenUp(Exception):
    """Say that the operation is not asked any further."""


def _agrees(adapter: Asked, selection: Selection, case: Case) -> bool:
    operation = contract.get(selection.operation)
    columns = {f.name: _column(operation, f.type, case.inputs[f.name]) for f in operation.fields}
    one = Cases(operation, selection.profile, ["0"], [("drawn",)], np.zeros(1, int), columns)
    answer = case.expected if isinstance(case.expected, tuple) else (case.expected,)
    pairs = zip(answer, operation.result, strict=True)
    right = [_column(operation, f.type, value) for value, f in pairs]
    answers = adapter.answer(selection, one)
    if not answers.asked(0):
        raise GivenUp
    status = verdicts(Expected(right, right, np.zeros(1, bool)), answers)
    return str(status[0]) not in (FAIL, ERROR)


def _column(operation: Operation, kind: str, value: Any) -> Array:
    if operation.scalar:
        return np.array([value], DTYPES.get(kind))
    return objects([np.array(value) if isinstance(value, tuple) else value])
