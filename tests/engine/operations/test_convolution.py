from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.engine import Instruction
from aquant_ref.engine.instruction import NEVER_LIFT
from aquant_ref.errors import AccumulatorOverflow, InputError
from tests.engine.rows import PLACES, bounds, instruction, row

TWO_BY_ONE = [[[[1], [-2]]], [[[3], [4]]]]  # two outputs of one channel


def conv(weight: Any = TWO_BY_ONE, groups: int = 1, **arrays: Any) -> Instruction:
    return instruction(
        "conv2d", {**PLACES, "groups": groups}, weight=weight, **{"zero_point": [0], **arrays}
    )


def bordered(codes: Any, op: str = "border_conv2d", **arrays: Any) -> Instruction:
    tables = {"weight": TWO_BY_ONE, "zero_point": [0], "codes": np.array(codes, np.uint8)}
    return instruction(op, {**PLACES, "groups": 1, "zero_code": 0}, **tables, **arrays)


def test_a_convolution_makes_a_channel_for_each_output_at_each_window() -> None:
    each = conv()
    assert row(each).shape(each, (1, 5, 3)) == (2, 4, 3)
    with pytest.raises(InputError, match=r"^it: its zero_point has shape \(1,\), needs \(2,\)"):
        row(conv(np.ones((2, 2, 1, 1), np.int32))).shape(
            conv(np.ones((2, 2, 1, 1), np.int32)), (2, 5, 3)
        )
    for shape in ((2, 5, 3), (1, 1, 3)):
        with pytest.raises(InputError, match="^it: "):
            row(each).shape(each, shape)


def test_a_product_is_largest_where_positive_weights_meet_the_largest_codes() -> None:
    """Codes -3..12 with weights 1 and -2, 3 and 4."""
    each = conv(zero_point=[3])
    assert bounds(each, ([0], [15])) == ([-3 - 24, -9 - 12], [12 + 6, 36 + 48])


def test_a_padded_pixel_is_0_even_where_no_code_is() -> None:
    assert bounds(conv(zero_point=[-2]), ([0], [3])) == ([-10, 0], [5, 35])


def test_each_output_of_a_group_meets_the_channels_of_its_group() -> None:
    each = conv([[[[1]]], [[[1]]], [[[-1]]], [[[2]]]], groups=2, zero_point=[0, 0])
    made = bounds(each, ([-1, -5], [2, 7]))
    assert made == ([-1, -1, -7, -10], [2, 2, 5, 14])


def test_a_bound_beyond_int64_is_refused_before_it_wraps() -> None:
    each = conv(np.full((1, 1, 2, 2), 2**31 - 1, np.int32))
    reach = 4 * (2**31 - 1) * 2**31
    with pytest.raises(AccumulatorOverflow, match=f"^it: its accumulator can reach {reach}, beyon"):
        bounds(each, ([0], [2**31]))


def test_the_bounds_of_a_border_are_of_the_codes_in_its_table() -> None:
    each = bordered([[1, 2, 3]])
    assert bounds(each, ([0], [2])) == ([-6, 0], [3, 21])
    fused = bordered(
        [[1, 2, 3]], "fused_conv2d", lift=[[NEVER_LIFT, 0, NEVER_LIFT]], fusion=[[0, 0, 0]]
    )
    assert bounds(fused, ([0], [2])) == ([-6, 0], [3, 21])  # of the three, 2 alone goes up, to 3
    fused.arrays["lift"][0, 2] = 0
    assert bounds(fused, ([0], [2])) == ([-8, 0], [4, 28])


@pytest.mark.parametrize(
    ("each", "codes", "message"),
    [
        (bordered([[0, 1]]), (-1, 1), "its tables have no entry for code -1"),
        (bordered([[0, 1]]), (0, 2), r"its codes of shape \(1, 2\) has no entry for code 2"),
        (bordered([[0, 1]] * 3), (0, 1), ".* has no entry for code 1 in 2 rows"),
        (bordered([0, 1]), (0, 1), "its codes of shape"),
        (
            bordered([[0, 1]], "fused_conv2d", lift=[[0, 0]], fusion=[[0, 2**29]]),
            (0, 1),
            f"the sum of its fusion can reach {2**30}",
        ),
        (
            bordered([[0, 255]], "fused_conv2d", lift=[[0, 0]], fusion=[[0, 1]]),
            (0, 1),
            "its codes have no room to go up from 255",
        ),
    ],
)
def test_tables_that_do_not_fit_what_is_read_are_refused(
    each: Instruction, codes: tuple[int, int], message: str
) -> None:
    with pytest.raises(InputError, match=f"^it: {message}"):
        row(each).check_codes(each, codes)


def test_a_table_has_one_row_or_one_for_each_row_of_the_matrix() -> None:
    for rows in (1, 2):
        each = bordered([[0, 1]] * rows)
        row(each).check_codes(each, (0, 1))
    each.attributes["zero_code"] = 2  # type: ignore[index]
    with pytest.raises(InputError, match="^it: its zero_code cannot be 2"):
        row(each).check_codes(each, (0, 1))


def test_a_linear_layer_adds_its_bias_to_the_bounds_of_its_product() -> None:
    each = instruction("linear", weight=[[1, -1], [2, 0]], bias=[10, -10], zero_point=[0, 1])
    assert row(each).shape(each, (2,)) == (2,)
    assert bounds(each, ([0, 0], [3, 3])) == ([10 - 2, -10], [10 + 3 + 1, -10 + 6])
    with pytest.raises(InputError, match=r"^it: its weight \(2, 2\) does not fit 3 inputs"):
        row(each).shape(each, (3,))
    short = instruction("linear", weight=[[1, -1], [2, 0]], bias=[10], zero_point=[0, 1])
    with pytest.raises(InputError, match="^it: its bias has shape"):
        row(short).shape(short, (2,))
