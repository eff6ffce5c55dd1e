"""The tables of a border with feedback (AQ-FEEDBACK-4)."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest

from aquant_ref import oracle
from aquant_ref.quant.feedback import FeedbackTables, feedback_tables
from aquant_ref.quant.window import NEVER_LIFT, WideCodes

WIDE = WideCodes(5, -2)  # -2 .. 5 31/32 steps, for codes of 2 bits and zero point 1: -1 .. 2
WEIGHT = np.array([[[[3, -1, 0, 2]]], [[[-2, 0, 0, 1]]]])
UNIT = np.array([0.5, 0.25])
HALF = Fraction(1, 2)


def tables(border: np.ndarray, **options: object) -> FeedbackTables:
    return feedback_tables(border, WEIGHT, UNIT, 2, zero_point=1, wide=WIDE, **options)


def columns(row: list[int], wide: int = 256) -> list[list[Fraction]]:
    return [[Fraction(v) for v in row]] * wide


@pytest.mark.parametrize("border", [Fraction(1, 2), Fraction(3, 8)])
def test_each_entry_is_that_of_the_rule(border: Fraction) -> None:
    """Spec: AQ-FEEDBACK-4."""
    made = tables(np.full((1, 256), float(border)))
    g = 5 if border == HALF else 8
    assert made.error_bits == g
    # v = 1 and 1/2, so the squares of the columns are 9 + 1, 1, 0 and 4 + 1/4
    power = [Fraction(10), Fraction(1), Fraction(0), Fraction(17, 4)]
    worth = [Fraction(1), Fraction(1, 4)]
    scale = next(
        k
        for k in range(14, -1, -1)
        if made.pull[0, 0, 0] == oracle.half_even(2**k * Fraction(3, 10))
    )
    for o, row in enumerate(WEIGHT.reshape(2, 4).tolist()):
        expected = [
            oracle.half_even(2**scale * worth[o] * w / p) if p else 0
            for w, p in zip(row, power, strict=True)
        ]
        assert made.pull[0, o].tolist() == expected
        assert made.directions[0, o].tolist() == row
    for u in range(256):
        t = Fraction(u, 32) - 2
        down, up = (oracle.clip(n, -1, 2) for n in (floor(t), ceil(t)))
        target = t + HALF - border if down < up else t
        assert made.codes[0, u] == down + 1
        assert made.error[0, u] == oracle.half_even(2**g * (down - target))
        lift = oracle.half_even(2 ** (g + scale) * (t - floor(t) - border))
        assert made.lift[0, u] == (lift if down < up else NEVER_LIFT)


def test_pulls_have_as_many_bits_as_float32_allows_and_at_least_eight() -> None:
    half = np.full((1, 193), 0.5)
    rng = np.random.default_rng(1)
    shifts = []
    for rows in (4, 64, 4096):
        weight = rng.integers(-2, 2, (16, rows, 1, 1))
        made = feedback_tables(half, weight, np.ones(16), 2, zero_point=0, wide=WideCodes.of(2, 0))
        row = int(np.argmax(abs(weight.reshape(16, -1)).sum(axis=0)))
        column = weight[:, row, 0, 0]
        power = int((column * column).sum())
        one = int(np.flatnonzero(column)[0])
        shifts.append(round(np.log2(made.pull[0, one, row] * power / column[one])))
        assert shifts[-1] == 8 or made.reach()[1] < 2**24
    assert shifts == sorted(shifts, reverse=True)
    assert shifts[0] == 14
    assert shifts[-1] == 8


def test_a_border_of_its_own_unit_is_not_changed_by_the_unit_of_all() -> None:
    border = np.random.default_rng(2).uniform(0.1, 0.9, (4, 256))
    one = tables(border)
    for factor in (2.0**-200, 2.0**90):
        other = feedback_tables(border, WEIGHT, UNIT * factor, 2, zero_point=1, wide=WIDE)
        for name in ("codes", "lift", "error", "directions", "pull"):
            assert getattr(other, name).tolist() == getattr(one, name).tolist()


def test_a_group_and_a_dead_output_leave_the_others_alone() -> None:
    half = np.full((1, 256), 0.5)
    weight = np.concatenate([WEIGHT, 0 * WEIGHT[:1], WEIGHT[:1]])
    unit = np.array([*UNIT, 2.0**200, 3.0])  # a dead output may have any unit
    both = feedback_tables(half, weight, unit, 2, zero_point=1, wide=WIDE, groups=2)
    for group in range(2):
        own = slice(2 * group, 2 * group + 2)
        one = feedback_tables(half, weight[own], unit[own], 2, zero_point=1, wide=WIDE)
        assert both.directions[group].tolist() == one.directions[0].tolist()
        assert both.pull[group].tolist() == one.pull[0].tolist()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_directions_are_those_of_the_largest_singular_values(rank: int) -> None:
    rng = np.random.default_rng(rank)
    weight = rng.integers(-3, 4, (6, 10, 1, 1))
    unit = rng.uniform(0.5, 1, 6)
    half = np.full((1, 256), 0.5)
    made = feedback_tables(half, weight, unit, 2, zero_point=1, wide=WIDE, rank=rank)
    real = weight.reshape(6, 10) * (unit / unit.max())[:, None]
    _, vectors = np.linalg.eigh(real @ real.T)  # the same space in another way
    space = vectors[:, ::-1][:, :rank]
    pulled = made.pull[0].T.astype(float) @ made.directions[0]
    wanted = real.T @ space @ space.T @ real / (real * real).sum(axis=0)[:, None]
    scale = (pulled * wanted).sum() / (wanted * wanted).sum()
    assert abs(pulled / scale - wanted).max() < 0.1  # directions have 5 bits
    assert made.rank == rank
    assert abs(made.directions).max() == 31
    every = feedback_tables(half, weight, unit, 2, zero_point=1, wide=WIDE, rank=6)
    assert every.directions[0].tolist() == weight.reshape(6, 10).tolist()


def test_the_oracle_takes_the_decisions_of_the_tables_by_hand() -> None:
    """Weights 1: 3.5 of at most 2 steps is wrong by -1.5, so that 1.25 and then 0.25 go up."""
    weight = np.ones((1, 4, 1, 1), np.int64)
    made = feedback_tables(np.full((1, 256), 0.5), weight, np.ones(1), 2, zero_point=1, wide=WIDE)
    whole = {name: getattr(made, name).tolist() for name in ("directions", "pull")}
    rows = {name: getattr(made, name).tolist() * 4 for name in ("codes", "lift", "error")}
    window = [int((t + 2) * 32) for t in (3.5, 1.25, 0.25, -1.5)]
    codes = oracle.fed_back_codes(window, 0, {**whole, **rows, "step": 32})
    assert codes == [3, 3, 2, 0]  # steps 2, 2, 1, -1
