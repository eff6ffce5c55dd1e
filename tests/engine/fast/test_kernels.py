"""Each faster way of an instruction, on numbers small enough to compute by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.engine import Instruction, interpreter
from aquant_ref.engine.fast.kernels import KERNELS, apply, threshold_codes
from aquant_ref.engine.fast.step import FEW, Step
from aquant_ref.engine.instruction import NEVER_LIFT
from aquant_ref.engine.operations import OPERATIONS
from tests.engine.rows import PLACES, instruction

IMAGE = np.array([[[[1, 2], [3, 0]]]], np.uint8)
CONV = {**PLACES, "groups": 1}
WINDOW = {**CONV, "zero_code": 0}
PADDED = {"kernel": [2, 2], **PLACES, "padding": [[1, 0], [0, 0]]}
ROW = np.array([[[[1, -2]]]], np.int32)  # a weight of two pixels beside each other
CODES = np.array([[0, 3, 3, 1]], np.uint8)
CASES: dict[str, tuple[Instruction, tuple[Any, ...], Any]] = {
    "conv2d": (
        instruction("conv2d", CONV, weight=ROW, zero_point=[1]),
        (IMAGE,),
        [[[[0 - 2 * 1], [2 - 2 * -1]]]],
    ),
    "a padded conv2d": (
        instruction("conv2d", {**CONV, "padding": [[0, 0], [1, 0]]}, weight=ROW, zero_point=[1]),
        (IMAGE,),
        [[[[0, -2], [-4, 4]]]],
    ),
    "border_conv2d": (
        instruction("border_conv2d", WINDOW, weight=ROW, zero_point=[0], codes=CODES),
        (IMAGE,),
        [[[[3 - 2 * 3], [1 - 2 * 0]]]],
    ),
    "fused_conv2d, nothing to lift": (
        instruction(
            "fused_conv2d",
            WINDOW,
            weight=ROW,
            zero_point=[0],
            codes=CODES,
            lift=np.full((1, 4), NEVER_LIFT, np.int32),
            fusion=[[0, 0, 0, 0]],
        ),
        (IMAGE,),
        [[[[3 - 2 * 3], [1 - 2 * 0]]]],
    ),
    "linear": (
        instruction("linear", weight=[[1, -1], [2, 0]], bias=[10, -10], zero_point=[0, 1]),
        (np.array([[5, 3], [0, 0]], np.uint8),),
        [[13, 0], [11, -10]],
    ),
    "add": (
        instruction("add", multiplier_a=np.array([2]), multiplier_b=np.array([-3])),
        (np.array([[[[4, 5]]]]), np.array([[[[1, 7]]]])),
        [[[[5, -11]]]],
    ),
    "plus": (
        instruction("plus"),
        (np.array([[[[4, 5]]]], np.int32), np.array([[[[1, -7]]]], np.int32)),
        [[[[5, -2]]]],
    ),
    "sum": (
        instruction("sum", PADDED, zero_point=[1], factor=[[2], [1]]),
        (IMAGE,),
        [[[[2 * (0 + 1)], [0 + 1 + 2 - 1]]]],
    ),
    "max_pool": (
        instruction("max_pool", PADDED),
        (np.array([[[[-7, -5], [-9, -2]]]], np.int8),),
        [[[[-5], [-2]]]],
    ),
    "concat": (instruction("concat"), (IMAGE, IMAGE + 1), [[[[1, 2], [3, 0]], [[2, 3], [4, 1]]]]),
    "flatten": (instruction("flatten", {"positions": 4}), (IMAGE,), [[1, 2, 3, 0]]),
    "threshold": (
        instruction("threshold", {"least": -1}, thresholds=np.array([[1, 2, 2]])),
        (IMAGE.astype(np.int64),),
        [[[[0, 2], [2, -1]]]],
    ),
    "lookup": (
        instruction("lookup", table=np.array([9, 8, 7, 6], np.uint8)),
        (IMAGE,),
        [[[[8, 7], [6, 9]]]],
    ),
    "rescale": (
        instruction(
            "rescale", {"profile": "exact"}, left=[1], bias=[6], multiplier=[2**30], shift=[31]
        ),
        (np.array([[[[-100, 30]]]], np.int32),),
        [[[[(-200 + 6) // 2, (60 + 6) // 2]]]],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_kernel_gives_what_a_hand_gives(name: str) -> None:
    each, inputs, expected = CASES[name]
    for kind in ("integer", "float64") if "weight" in each.arrays else ("integer",):
        made = apply(Step(each, kind), inputs)
        assert made.tolist() == expected


@pytest.mark.parametrize("name", CASES)
def test_a_kernel_gives_what_the_interpreter_gives(name: str) -> None:
    each, inputs, _ = CASES[name]
    assert apply(Step(each), inputs).tolist() == interpreter.apply(each, list(inputs)).tolist()


def test_what_has_no_kernel_is_computed_by_the_interpreter() -> None:
    assert OPERATIONS.keys() - KERNELS.keys() == {"mul", "feedback_conv2d"}
    each = instruction("mul", zero_point_a=[3], zero_point_b=[-1])
    two, five = (np.full((1, 1, 1, 1), value, np.uint8) for value in (2, 5))
    assert apply(Step(each), [two, five]).tolist() == [[[[-1 * 6]]]]


@pytest.mark.parametrize("count", [0, 1, 2, FEW, FEW + 1, 300])
@pytest.mark.parametrize("least", [0, -3])
def test_a_code_counts_the_thresholds_that_are_reached(count: int, least: int) -> None:
    """Two channels, of which one has each threshold twice. Spec: AQ-LOWER-1."""
    thresholds = np.sort([np.arange(count), np.arange(count) // 2 * 2], axis=1)
    acc = np.arange(-2, count + 2)
    codes = threshold_codes(np.stack([acc, acc])[None, :, :, None], thresholds, least)
    expected = [[sum(t <= a for t in row) + least for a in acc.tolist()] for row in thresholds]
    assert codes[0, :, :, 0].tolist() == expected
    width = 8 if count + least <= (127 if least else 255) else 16
    assert codes.dtype == f"{'int' if least else 'uint'}{width}"
