from __future__ import annotations

from fractions import Fraction as F

from aquant_ref.model.accumulator_scale import AccumulatorScale

TWO = AccumulatorScale((F(1, 3), F(2)), (F(0), F(5)))


def test_channels_are_joined_and_repeated_in_their_order() -> None:
    steps = AccumulatorScale.steps(F(1, 7), 2)
    joined = AccumulatorScale.joined([TWO, steps])
    assert joined.unit == (F(1, 3), F(2), F(1, 7), F(1, 7))
    assert joined.bias == (0, 5, 0, 0)
    assert TWO.repeated(2).unit == (F(1, 3), F(1, 3), F(2), F(2))
    assert TWO.repeated(2).bias == (0, 0, 5, 5)


def test_steps_have_one_unit_and_no_bias() -> None:
    assert AccumulatorScale.steps(F(1, 7), 3).is_steps(F(1, 7))
    assert not AccumulatorScale.steps(F(1, 7), 3).is_steps(F(2, 7))
    assert not TWO.is_steps(F(1, 3))
    assert not AccumulatorScale((F(1),), (F(1),)).is_steps(F(1))
