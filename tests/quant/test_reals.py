from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.quant.reals import EXACT, check_float64, check_fraction, check_reals


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
def test_floats_keep_their_dtype(dtype: str) -> None:
    """Spec: AQ-AFFINE-1."""
    assert check_reals("x", np.ones(2, dtype)).dtype == dtype


def test_bytes_in_the_other_order_are_turned_round() -> None:
    swapped = np.array([1.5, -2]).astype(np.dtype(float).newbyteorder())
    made = check_reals("x", swapped)
    assert (made.tolist(), made.dtype.isnative) == ([1.5, -2], True)


def test_integers_are_float64_up_to_the_last_that_it_holds() -> None:
    """Spec: AQ-AFFINE-1."""
    made = check_reals("x", np.array([EXACT, -EXACT]))
    assert (made.tolist(), made.dtype) == ([2.0**53, -(2.0**53)], np.float64)
    for value in (EXACT + 1, -EXACT - 1):
        with pytest.raises(InputError, match=r"^x: needs integers up to 2\^53"):
            check_reals("x", np.array([0, value]))
    assert check_reals("x", np.empty(0, np.int64)).dtype == np.float64


@pytest.mark.parametrize("values", [True, 1j, "1", np.array([None])])
def test_what_is_no_real_number_is_refused(values: Any) -> None:
    for check in (check_reals, check_float64):
        with pytest.raises(InputError, match="^x: "):
            check("x", values)


def test_what_float64_would_round_is_refused() -> None:
    if np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("long double is float64 here")
    third = np.longdouble(1) / 3
    with pytest.raises(InputError, match="^x: needs float64, got a .* that float64 would round"):
        check_float64("x", np.array([0.5, third]))
    half = check_float64("x", np.array([0.5, np.nan], np.longdouble))
    assert half.dtype == np.float64
    assert check_float64("x", np.float32(0.1)).item() == float(np.float32(0.1))


@pytest.mark.parametrize(
    ("value", "exact"),
    [
        (3, Fraction(3)),
        (2**200 + 1, Fraction(2**200 + 1)),
        (np.int8(-3), Fraction(-3)),
        (0.1, Fraction(3602879701896397, 2**55)),
        (np.float32(0.5), Fraction(1, 2)),
        (Fraction(1, 3), Fraction(1, 3)),
        (Decimal("0.1"), Fraction(1, 10)),
    ],
)
def test_one_number_is_read_exactly(value: Any, exact: Fraction) -> None:
    """Spec: AQ-FIXED-1."""
    assert check_fraction("x", value) == exact


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", None, 1j, [1], np.ones(2)])
def test_what_is_no_finite_number_has_no_fraction(value: Any) -> None:
    with pytest.raises(InputError, match="^x: needs one finite real number, got"):
        check_fraction("x", value)
