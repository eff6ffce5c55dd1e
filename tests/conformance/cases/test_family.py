"""What the families of several operations draw, and cases as columns."""

from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.conformance.cases.draw import Draw
from aquant_ref.conformance.cases.family import (
    between,
    bit_length,
    blank_results,
    constant,
    objects,
    odd_zero_point,
    plain,
    relu6_range,
)
from aquant_ref.conformance.contract import OPERATIONS
from tests.conformance.cases.rows import members


@pytest.fixture
def draw() -> Draw:
    return Draw("key", np.arange(40))


def test_a_zero_point_is_odd_where_the_range_has_an_odd_code(draw: Draw) -> None:
    assert (odd_zero_point(draw, constant(draw, -8), constant(draw, 7)) % 2 == 1).all()
    assert set(odd_zero_point(draw, constant(draw, 2), constant(draw, 2)).tolist()) == {2}


def test_an_empty_range_gives_its_lower_end(draw: Draw) -> None:
    assert set(between(draw, constant(draw, 3), constant(draw, 1)).tolist()) == {3}


def test_a_relu6_ends_below_the_largest_code_wherever_the_zero_point_is(draw: Draw) -> None:
    zero = np.arange(40) % 4
    low, top = relu6_range(draw, zero, constant(draw, 0), constant(draw, 3))
    assert (low == np.where(zero == 3, 0, zero)).all()
    assert (top >= low).all()
    assert (top < 3).all()


def test_bit_lengths_are_those_of_python() -> None:
    values = [0, 1, -1, 2, 255, -256, 2**52, 2**53 - 1]
    assert bit_length(np.array(values)).tolist() == [abs(v).bit_length() for v in values]


def test_numbers_and_arrays_become_those_of_python() -> None:
    assert [type(plain(v)) for v in (np.int64(1), np.float64(1), "a")] == [int, float, str]
    assert plain(np.eye(2, dtype=int)) == [[1, 0], [0, 1]]


def test_arrays_of_one_shape_stay_objects() -> None:
    column = objects([np.zeros(2), np.zeros(2)])
    assert column.shape == (2,)
    assert column[0].shape == (2,)


def test_blank_results_are_zeros_or_nothing() -> None:
    assert [c.tolist() for c in blank_results(OPERATIONS["multiplier"], 2)] == [[0, 0], [0, 0]]
    assert [c.tolist() for c in blank_results(OPERATIONS["linear"], 2)] == [[None, None]]


def test_cases_that_are_taken_keep_their_names_and_inputs() -> None:
    cases = members("tie", "round")
    taken = cases.take([5, 2])
    assert list(taken.ids) == [cases.ids[5], cases.ids[2]]
    assert [taken.inputs(0), taken.inputs(1)] == [cases.inputs(5), cases.inputs(2)]
