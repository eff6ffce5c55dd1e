"""Borders as tables over wide codes (AQ-WINDOW), against exact borders."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.errors import InputError
from aquant_ref.quant.border import BORDER_MIN
from aquant_ref.quant.window import (
    LIFT_BITS,
    fraction_bits,
    nearest_window,
    row_borders,
    wide_steps,
    window_border,
)

SQUASHES = {"sigmoid": oracle.sigmoid_squash, "clip": oracle.clip_squash}
squashes = pytest.mark.parametrize("squash", SQUASHES)
zero_points = pytest.mark.parametrize(("bits", "zero_point"), [(1, 0), (2, 0), (2, 1), (3, 7)])
gentle = st.tuples(*[st.integers(-20, 20).map(lambda v: v / 32)] * 3)
LEAST = Fraction(BORDER_MIN)


def exact(values: tuple[float, ...]) -> list[Fraction]:
    return [Fraction(v) for v in values]


def steps(bits: int, zero_point: int) -> list[Fraction]:
    """What every wide code stands for, from the rule."""
    parts = 2 ** (8 - bits)
    return [Fraction(u, parts) - zero_point for u in range((2**bits - 1) * parts + 1)]


@pytest.mark.parametrize("bits", range(1, 8))
def test_a_wide_code_holds_a_code_and_the_rest_of_eight_bits_of_its_fraction(bits: int) -> None:
    """Spec: AQ-WINDOW-1."""
    assert wide_steps(bits, 1).tolist() == [float(t) for t in steps(bits, 1)]
    assert len(wide_steps(bits, 0)) <= 256
    assert fraction_bits(bits) + bits == 8


@pytest.mark.parametrize("bits", [8, 9, 16])
def test_from_eight_bits_on_there_is_no_fraction_left(bits: int) -> None:
    for refused in (
        lambda: fraction_bits(bits),
        lambda: nearest_window(bits, 0),
        lambda: window_border(np.zeros((1, 3)), None, bits, kernel=1),
        lambda: row_borders(np.zeros((1, 3)), bits),
    ):
        with pytest.raises(InputError, match=f"at most 7 bits, got {bits}"):
            refused()


@pytest.mark.parametrize("bits", range(1, 8))
@pytest.mark.parametrize("end", ["low", "middle", "high"])
def test_a_reader_without_a_border_takes_the_nearest_code_ties_up(bits: int, end: str) -> None:
    """Spec: AQ-WINDOW-4."""
    zero_point = {"low": 0, "middle": 2 ** (bits - 1), "high": 2**bits - 1}[end]
    table = nearest_window(bits, zero_point).codes[0]
    expected = [oracle.half_up(t) + zero_point for t in steps(bits, zero_point)]
    assert table.tolist() == expected


@squashes
@zero_points
@settings(max_examples=15)
@given(rows=st.lists(gentle, min_size=1, max_size=2))
def test_the_table_of_a_row_is_its_border_at_every_wide_code(
    squash: str, bits: int, zero_point: int, rows: list[tuple[float, ...]]
) -> None:
    """Spec: AQ-WINDOW-2."""
    qmax = 2**bits - 1
    tables = window_border(
        np.array(rows), None, bits, kernel=1, zero_point=zero_point, squash=squash
    )
    borders = row_borders(np.array(rows), bits, zero_point=zero_point, squash=squash)
    for row, coefficients in enumerate(rows):
        for u, t in enumerate(steps(bits, zero_point)):
            p = oracle.polynomial(t, exact(coefficients), qmax, zero_point=zero_point)
            b = SQUASHES[squash](p, LEAST)
            assert borders[row, u] == pytest.approx(float(b), abs=1e-12)
            if abs(t - math.floor(t) - b) > 1e-12:
                assert tables.codes[row, u] == oracle.border_round(t, b) + zero_point


@squashes
@zero_points
def test_zero_coefficients_are_the_nearest_code_ties_included(
    squash: str, bits: int, zero_point: int
) -> None:
    nearest = nearest_window(bits, zero_point).codes[0]
    zero = np.zeros((4, 3))
    options = {"kernel": 4, "zero_point": zero_point, "squash": squash}
    alone = window_border(zero, None, bits, **options)
    assert alone.codes.tolist() == [nearest.tolist()] * 4
    wide = np.broadcast_to(np.arange(len(nearest))[None, None, None], (1, 1, 4, len(nearest)))
    for tables in (alone, window_border(zero, zero, bits, **options)):
        assert tables.round(wide)[0, 0].tolist() == [nearest.tolist()] * 4


@squashes
@zero_points
@settings(max_examples=25)
@given(data=st.data())
def test_a_fused_window_goes_up_where_the_exact_border_with_its_mean_says_so(
    squash: str, bits: int, zero_point: int, data: st.DataObject
) -> None:
    """Away from ties by more than the tables resolve: two channels of three rows.

    Spec: AQ-WINDOW-3.
    """
    channels, kernel, qmax = 2, 3, 2**bits - 1
    size = channels * kernel
    rows = data.draw(st.lists(gentle, min_size=size, max_size=size))
    fusion = data.draw(st.lists(gentle, min_size=size, max_size=size))
    t = steps(bits, zero_point)
    wide = data.draw(
        st.lists(st.integers(0, len(t) - 1), min_size=size, max_size=size), label="wide codes"
    )
    tables = window_border(
        np.array(rows), np.array(fusion), bits, kernel=kernel, zero_point=zero_point, squash=squash
    )
    found = tables.round(np.array(wide).reshape(1, channels, kernel, 1)).ravel()
    plain = {
        "codes": np.broadcast_to(tables.codes, (size, len(t))).tolist(),
        "lift": tables.lift.tolist(),
        "fusion": tables.fusion.tolist(),
    }
    for channel in range(channels):
        own = range(channel * kernel, (channel + 1) * kernel)
        codes = [wide[r] for r in own]
        assert found[own.start : own.stop].tolist() == oracle.window_codes(codes, own.start, plain)

        def value(r: int, coefficients: list[tuple[float, ...]]) -> Fraction:
            return oracle.polynomial(
                t[wide[r]], exact(coefficients[r]), qmax, zero_point=zero_point
            )

        mean = sum((value(r, fusion) for r in own), Fraction(0)) / kernel
        for r in own:
            fraction = t[wide[r]] - math.floor(t[wide[r]])
            b = SQUASHES[squash](value(r, rows) + mean, LEAST)
            if fraction == 0:
                assert found[r] == t[wide[r]] + zero_point  # an integer never moves
            elif _distance(squash, fraction, value(r, rows) + mean) > (kernel + 2) * 2.0**-17:
                assert found[r] == oracle.border_round(t[wide[r]], b) + zero_point


def _distance(squash: str, fraction: Fraction, p: Fraction) -> float:
    """How far L is from P + F."""
    needed = math.log(fraction / (1 - fraction)) / 4 if squash == "sigmoid" else fraction - 0.5
    return abs(float(needed) - float(p))


@squashes
@pytest.mark.parametrize("kernel", [1, 9, 49])
@pytest.mark.parametrize("zero_point", [0, 2])
@pytest.mark.parametrize("extreme", [1e-3, 1.0, 1e3, 1e6, 1e300])
def test_integers_never_move_and_no_sum_leaves_int32_whatever_the_coefficients(
    squash: str, kernel: int, zero_point: int, extreme: float
) -> None:
    for own, shared in ((0, 1), (0, -1), (1, 0), (-1, 0), (-1, -1), (1, 1)):
        every = np.full((kernel, 3), extreme)
        tables = window_border(
            own * every, shared * every, 2, kernel=kernel, zero_point=zero_point, squash=squash
        )
        t = wide_steps(2, zero_point)
        integers = np.flatnonzero(t == np.floor(t))
        wide = np.broadcast_to(integers[None, None, None], (1, 1, kernel, len(integers)))
        assert (tables.round(wide) == integers // 64).all()
        assert abs(tables.fusion.astype(np.int64)).max() * kernel < 2**31
        assert abs(tables.lift.astype(np.int64)).max() <= 2**30


@squashes
def test_an_extreme_border_rounds_all_down_or_all_up(squash: str) -> None:
    t = wide_steps(2, 0)
    between = np.flatnonzero(t != np.floor(t))
    wide = np.broadcast_to(between[None, None, None], (1, 1, 4, len(between)))
    for constant, expected in ((1e4, between // 64), (-1e4, between // 64 + 1)):
        alone = np.zeros((4, 3))
        alone[:, 0] = constant
        options = {"kernel": 4, "squash": squash}
        for tables in (
            window_border(alone, None, 2, **options),
            window_border(alone, 0 * alone, 2, **options),
            window_border(0 * alone, alone, 2, **options),
        ):
            assert (tables.round(wide) == expected).all()


def test_the_fusion_of_a_window_is_a_mean_and_stays_in_its_channel() -> None:
    constant = np.zeros((8, 3))
    constant[:4, 0] = [0.5, -0.5, 0.25, 0.25]  # the first channel: 1/8 in the mean
    tables = window_border(np.zeros((8, 3)), constant, 2, kernel=4)
    assert tables.fusion is not None
    assert tables.fusion[:, 7].sum() == 2**LIFT_BITS / 8
    # L = logit(frac)/4 >= 1/8 from frac = 0.6225 on, and 1/2 in the second channel
    wide = np.broadcast_to(np.arange(64)[None, None, None], (1, 2, 4, 64))
    found = tables.round(wide)[0]
    assert found[0].argmax(axis=1).tolist() == [math.ceil(64 / (1 + math.exp(-0.5)))] * 4
    assert found[1].argmax(axis=1).tolist() == [32] * 4


def test_each_row_has_a_table_of_its_own_in_the_order_channel_then_position() -> None:
    coefficients = np.zeros((6, 1))
    coefficients[:, 0] = np.arange(6) / 16  # borders 8/16, 9/16 ... 13/16
    tables = window_border(coefficients, None, 2, kernel=3, squash="clip")
    wide = np.broadcast_to(np.arange(64)[None, None, None], (1, 2, 3, 64))
    first_up = tables.round(wide)[0].argmax(axis=2)
    assert first_up.tolist() == [[32, 36, 40], [44, 48, 52]]


def test_short_coefficients_are_long_ones_with_zeros() -> None:
    short = np.array([[0.1, -0.2], [0.3, 0.1]])
    long = np.pad(short, ((0, 0), (0, 1)))
    fusion = np.ones((2, 3)) / 8
    for shared in (None, fusion):
        one, two = (window_border(c, shared, 3, kernel=2) for c in (short, long))
        assert one.codes.tolist() == two.codes.tolist()
        assert one.lift is None or one.lift.tolist() == two.lift.tolist()
