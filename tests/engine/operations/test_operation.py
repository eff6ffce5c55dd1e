from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.engine.operations import operation
from aquant_ref.errors import AccumulatorOverflow, InputError
from tests.engine.rows import between, instruction

ADD = instruction("add", multiplier_a=[1, 2], multiplier_b=[3, 4])


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (operation.whole(1), [1, 7], [0, -1, True, 1.0, "1", None, [1]]),
        (operation.any_integer, [0, -5, 2**40], [True, 1.0, "1", None, [1]]),
        (operation.pair, [[1, 2], (3, 1)], [1, [0, 1], [1, 1, 1], [1.0, 1], [True, 1], "11"]),
        (
            operation.sides,
            [[[0, 1], [2, 0]]],
            [0, [0, 1], [[0, -1], [0, 0]], [[0, 0]], [[0, 0.5], [0, 0]]],
        ),
        (operation.one_of(("up", "even")), ["up"], ["down", "", None, 1, ["up"]]),
    ],
)
def test_an_attribute_is_of_the_kind_that_a_file_holds(
    check: Any, right: list[Any], wrong: list[Any]
) -> None:
    for value in right:
        check(value)
    for value in wrong:
        with pytest.raises(InputError):
            check(value)


def test_inputs_of_one_shape_make_that_shape() -> None:
    assert operation.same_shape(ADD, (2, 3, 4), (2, 3, 4)) == (2, 3, 4)
    with pytest.raises(InputError, match=r"^it: its inputs have shapes \(2, 3, 4\) and \(2, 4, 3"):
        operation.same_shape(ADD, (2, 3, 4), (2, 4, 3))
    with pytest.raises(InputError, match=r"^it: its multiplier_a has shape \(2,\), needs \(3,\)"):
        operation.same_shape(ADD, (3,), (3,))


def test_values_outside_their_range_are_refused_and_its_ends_are_not() -> None:
    operation.within(ADD, "left", np.array([0, 31]), 0, 31)
    for value in (-1, 32):
        with pytest.raises(InputError, match=r"^it: its left is not in 0\.\.31"):
            operation.within(ADD, "left", np.array([5, value]), 0, 31)


@pytest.mark.parametrize(("held", "limit"), [("int32", 2**31 - 1), ("int64", 2**53)])
def test_a_bound_may_reach_the_largest_number_of_its_type_and_none_beyond(
    held: str, limit: int
) -> None:
    operation.check_held(ADD, between([-limit, 0], [0, limit]), held)
    for ends in (([0, -limit - 1], [0, 0]), ([0, 0], [limit + 1, 0])):
        with pytest.raises(AccumulatorOverflow, match=f"^it: its sum can reach {limit + 1}, bey"):
            operation.check_held(ADD, between(*ends), held, "sum")


def test_the_range_of_codes_that_only_move_is_that_of_all_inputs() -> None:
    assert operation.passed(ADD, (0, 3), (-2, 1)) == (-2, 3)
    assert operation.passed(ADD, (0, 3), None) is None


def test_codes_are_centred_channel_by_channel() -> None:
    each = instruction("linear", weight=[[1, 1]], bias=[0], zero_point=[3, -4])
    low, high = operation.centred(each, *between([0, -8], [15, 7]))
    assert (low.tolist(), high.tolist()) == ([-3, -4], [12, 11])
