from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.errors import InputError
from aquant_ref.quant.fixed_point import (
    FLOAT_PROFILES,
    PROFILES,
    FixedPoint,
    fixed_border,
    lift,
    rescaling,
)


@pytest.mark.parametrize("squash", ["sigmoid", "clip"])
def test_every_fraction_of_16_bits_has_the_lift_of_the_oracle(squash: str) -> None:
    """Those of fewer bits are among them; the lower half mirrors the upper."""
    table = lift(16, squash)
    assert (table[1:] == -table[:0:-1]).all()
    assert table[0] == -(2**30)
    for j in range(1, 2**15 + 1):
        assert table[j] == oracle.fixed_lift(Fraction(j, 2**16), squash), j


@pytest.mark.parametrize("bits", [0, 1, 5, 16])
def test_a_coarser_lift_is_every_nth_of_a_finer_one(bits: int) -> None:
    assert lift(bits, "sigmoid").tolist() == lift(16, "sigmoid")[:: 2 ** (16 - bits)].tolist()


units = st.builds(
    lambda m, e: Fraction(m) * Fraction(2) ** e, st.integers(1, 2**24), st.integers(-34, -14)
)


@given(
    unit=units,
    scale=units,
    bias=st.integers(-(10**6), 10**6),
    asked=st.integers(0, 16),
    profile=st.sampled_from(PROFILES),
)
def test_a_bias_is_kept_to_the_fraction_bits_that_were_asked_for(
    unit: Fraction, scale: Fraction, bias: int, asked: int, profile: str
) -> None:
    real = Fraction(bias) * scale / 7
    try:
        found = rescaling([unit], [real], scale, 0, FixedPoint(asked, profile))
    except InputError:
        return
    (left,), (counted,) = found.left.tolist(), found.bias.tolist()
    fine = unit / 2**left
    assert abs(counted * fine - real) <= scale / 2**asked / 2
    assert fine * 2**asked < scale
    assert left == 0 or 2 * fine * 2**asked >= scale  # and to no more than that
    (m,) = found.multiplier.tolist()
    if profile in FLOAT_PROFILES:
        assert m == oracle.to_float(fine / scale, 53, -1074)
    else:
        assert found.shift is not None
        assert (m, found.shift.item()) == oracle.multiplier(fine / scale)


def test_a_tie_of_a_bias_goes_to_the_even_number_of_units() -> None:
    biases = [Fraction(k, 2) for k in (-3, -1, 1, 3)]
    found = rescaling([Fraction(1)] * 4, biases, Fraction(4), 0, FixedPoint(0))
    assert found.left.tolist() == [0] * 4
    assert found.bias.tolist() == [-2, 0, 0, 2]


def test_a_unit_of_no_half_a_step_gets_the_last_shift() -> None:
    for profile in ("exact", "tflite_up", "tflite_away"):
        options = FixedPoint(0, profile)
        found = rescaling([Fraction(1, 2**90)], [Fraction(0)], Fraction(1), 0, options)
        assert found.shift is not None
        assert found.multiplier is not None
        assert (int(found.multiplier[0]), int(found.shift[0])) == (2**30, 62)


@pytest.mark.parametrize(
    ("unit", "bias", "words"),
    [
        (Fraction(1), Fraction(2**31), "its bias is 2147483648 units, beyond int32"),
        (Fraction(2**32), Fraction(0), "its unit is 2.32 of the steps"),
    ],
)
def test_what_has_no_integers_is_refused(unit: Fraction, bias: Fraction, words: str) -> None:
    with pytest.raises(InputError, match=words):
        rescaling([unit], [bias], Fraction(2), 0, FixedPoint(0))


def test_a_border_has_the_numbers_of_the_oracle_and_the_clips_of_its_activation() -> None:
    coefficients = np.array([[0.25, -0.5 - 2.0**-17], [3 * 2.0**-17, 1.0]])  # ties of 2^-16
    found = fixed_border(-2, 4, -5, 3, coefficients=coefficients, squash="clip")
    assert (found.low, found.high) == (-2 * 8, 4 * 8)
    assert (found.least, found.largest) == (-7, -1)
    assert (found.multiplier, found.shift) == oracle.multiplier(Fraction(2**15, 4 * 8))
    assert found.coefficients.tolist() == [[2**14, -(2**15), 0], [2, 2**16, 0]]
    relu = fixed_border(-2, 4, 2, 3, floor=True, ceiling=Fraction(5, 16))
    assert (relu.low, relu.high) == (0, oracle.half_up(Fraction(5, 16) * 8)) == (0, 3)
    assert relu.coefficients.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("high", "bits", "coefficients", "words"),
    [
        (2**16 - 1, 16, None, "16 fraction bits of 65535 steps"),
        (3, 8, np.array([[0.0], [8193.0]]), "coefficients reach 8193"),
        (3, 8, np.array([[1e300]]), "coefficients reach"),
    ],
)
def test_a_border_that_leaves_its_integers_is_refused(
    high: int, bits: int, coefficients: np.ndarray | None, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        fixed_border(0, high, 0, bits, coefficients=coefficients)
    fixed_border(0, 2**16 - 1, 0, 15)


@pytest.mark.parametrize("bits", [-1, 17, 2.0, True])
def test_fraction_bits_out_of_range_are_refused(bits: int) -> None:
    with pytest.raises(InputError, match="fraction bits"):
        FixedPoint(bits)


@pytest.mark.parametrize("profile", ["float64_onnx", "cuda", None])
def test_a_profile_that_rescales_nothing_is_refused(profile: str) -> None:
    with pytest.raises(InputError, match="profile"):
        FixedPoint(8, profile)
