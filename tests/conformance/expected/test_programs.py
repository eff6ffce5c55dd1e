"""The right answers of small programs, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.conformance.expected.programs import OPERATIONS, program
from aquant_ref.conformance.expected.refusal import Refused

IMAGE = [[[3, 5]]]


def step(op: str, *inputs: str, name: str = "", **rest: Any) -> dict[str, Any]:
    """An instruction; `rest` are its attributes, and `arrays`."""
    arrays = rest.pop("arrays", {})
    return {
        **{"name": name or op, "op": op, "inputs": list(inputs)},
        **{"attributes": rest, "arrays": arrays},
    }


FLATTEN = step("flatten", "image", positions=2)
LINEAR = step("linear", "flatten", arrays={"weight": [[2, 1]], "bias": [4], "zero_point": [1, 1]})


def test_instructions_run_one_after_the_other() -> None:
    """(3 - 1) * 2 + (5 - 1) + 4."""
    assert program(image=IMAGE, program=[FLATTEN, LINEAR]) == ([12],)


@pytest.mark.parametrize(
    ("op", "attributes", "arrays", "terms", "answer"),
    [
        ("plus", {}, {}, ([[[1]]], [[[2]]]), [[[3]]]),
        ("add", {}, {"multiplier_a": [2], "multiplier_b": [3]}, ([[[1]]], [[[2]]]), [[[8]]]),
        ("mul", {}, {"zero_point_a": [1], "zero_point_b": [0]}, ([[[4]]], [[[2]]]), [[[6]]]),
        ("concat", {}, {}, ([[[1]]], [[[2]]]), [[[1]], [[2]]]),
        ("threshold", {"least": -1}, {"thresholds": [[0, 3]]}, ([[[2, 3]]],), [[[0, 1]]]),
        ("lookup", {}, {"table": [7, 9]}, ([[[1, 0]]],), [[[9, 7]]]),
        # (3 * 2 + 4) / 2^2 is 2.5
        (
            "rescale",
            {"profile": "exact"},
            {"left": [1], "bias": [4], "multiplier": [2**30], "shift": [32]},
            ([[[3]]],),
            [[[3]]],
        ),
    ],
)
def test_an_instruction_is_what_its_page_says(
    op: str, attributes: Any, arrays: Any, terms: Any, answer: Any
) -> None:
    assert OPERATIONS[op](attributes, arrays, *terms) == answer


@pytest.mark.parametrize(
    "steps",
    [
        [LINEAR],  # before its input
        [FLATTEN, {**FLATTEN, "inputs": ["image"]}],  # one name twice
        [{**FLATTEN, "op": "softmax"}],
        [step("flatten", "image", name="image", positions=2)],
    ],
)
def test_a_program_that_cannot_run_is_refused(steps: list[Any]) -> None:
    with pytest.raises(Refused):
        program(image=IMAGE, program=steps)
