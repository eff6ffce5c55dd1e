from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.engine import Instruction
from aquant_ref.errors import AccumulatorOverflow
from tests.engine.rows import bounds, instruction, row


def add(a: list[int], b: list[int]) -> Instruction:
    return instruction(
        "add", multiplier_a=np.array(a, np.int64), multiplier_b=np.array(b, np.int64)
    )


def test_a_sum_is_bounded_by_the_sums_of_the_ends_times_their_multipliers() -> None:
    each = add([2, 1], [3, 5])
    assert bounds(each, ([-1, 0], [4, 6]), ([-2, -7], [0, 1])) == ([-8, -35], [8, 11])
    assert row(each).held_in(["int32", "int32"]) == "int64"


def test_a_sum_may_reach_2_to_the_53_and_int64_does_not_wrap_before_it_is_refused() -> None:
    assert bounds(add([2**52], [1]), ([0], [1]), ([0], [2**52])) == ([0], [2**53])
    with pytest.raises(AccumulatorOverflow, match=f"^it: its sum can reach {2**53 + 1}, beyond"):
        bounds(add([2**52], [1]), ([0], [1]), ([0], [2**52 + 1]))
    with pytest.raises(AccumulatorOverflow, match=f"can reach {2**93}, beyond"):
        bounds(add([2**62], [0]), ([0], [2**31]), ([0], [0]))


def test_terms_in_fixed_point_fit_int32_each_and_together() -> None:
    each = instruction("plus")
    most = 2**31 - 1
    assert bounds(each, ([-3], [most - 4]), ([-5], [4])) == ([-8], [most])
    for one, other in ((([0], [most]), ([0], [1])), (([0], [most + 1]), ([-1], [-1]))):
        with pytest.raises(AccumulatorOverflow, match=f"^it: its sum can reach {2**31}, beyond"):
            bounds(each, one, other)


def test_a_product_is_bounded_by_the_products_of_the_ends() -> None:
    """Of -3..12 and -12..3, of -8..7 and 1..4, and of -2..-1 with itself."""
    each = instruction("mul", zero_point_a=[3, 0, 2], zero_point_b=[12, -1, 2])
    made = bounds(each, ([0, -8, 0], [15, 7, 1]), ([0, 0, 0], [15, 3, 1]))
    assert made == ([-144, -32, 1], [36, 28, 4])
    assert row(each).reads_codes
