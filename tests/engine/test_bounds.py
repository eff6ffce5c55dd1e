from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.engine import Engine, Instruction, Program
from aquant_ref.engine.bounds import magnitude
from aquant_ref.errors import AccumulatorOverflow
from tests.engine.programs import conv_program, linear_program


def test_the_image_that_the_signs_of_the_weights_make_reaches_the_bounds_exactly() -> None:
    rng = np.random.default_rng(0)
    weight = rng.integers(-128, 128, (3, 5, 1, 1)).astype(np.int8)
    program = conv_program(weight)
    low, high = program.bounds["acc"]
    for o in range(3):
        brightest = (255 * (weight[o] > 0)).astype(np.uint8)
        darkest = (255 * (weight[o] < 0)).astype(np.uint8)
        assert Engine(program).run(brightest[None])["acc"][0, o, 0, 0] == high[o]
        assert Engine(program).run(darkest[None])["acc"][0, o, 0, 0] == low[o]


def test_a_product_that_leaves_int32_before_its_bias_is_refused() -> None:
    """Past bug: the sum fitted, and the product wrapped on its way from float64 to int32."""
    program = linear_program(np.full((1, 3072), -4000, np.int32), np.array([2 * 10**9], np.int32))
    with pytest.raises(AccumulatorOverflow, match=r"logits.*3133440000"):
        Engine(program)


def test_an_accumulator_that_could_leave_int32_is_refused_with_its_bound() -> None:
    weight = np.full((1, 1, 1, 1), 2**24, np.int32)
    with pytest.raises(AccumulatorOverflow, match=r"acc.*4278190080"):
        Engine(conv_program(weight))
    largest = (2**31 - 1) // 255
    assert magnitude(conv_program(weight * 0 + largest).bounds["acc"]) == largest * 255


def add_program(multiplier: int) -> Program:
    arrays = {key: np.array([multiplier]) for key in ("multiplier_a", "multiplier_b")}
    return Program((1, 1, 1), (Instruction("sum", "add", ("image", "image"), {}, arrays),))


def test_the_sum_of_an_add_may_leave_int32_but_not_2_to_the_53() -> None:
    """AQ-LOWER-2: int32 is the limit of an accumulator (AQ-INT-3), and an add is none.

    Spec: AQ-LOWER-2.
    """
    image = np.full((1, 1, 1, 1), 255, np.uint8)
    for multiplier in (2**30 + 1, 2**53 // 510):
        (total,) = Engine(add_program(multiplier)).run(image)["sum"].ravel().tolist()
        assert total == 2 * 255 * multiplier > 2**31
    for multiplier in (2**53 // 510 + 1, 2**62):
        with pytest.raises(AccumulatorOverflow, match=f"sum: .*{510 * multiplier}.*{2**53}"):
            Engine(add_program(multiplier))
