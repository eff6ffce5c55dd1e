from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.model.quantizers import (
    FeedbackBorder,
    QuantizedLayer,
    QuantizedTensor,
    check_window,
)
from aquant_ref.quant.feedback import FeedbackTables
from aquant_ref.quant.window import WideCodes, WindowBorder

LAYER = QuantizedLayer(
    np.array([[0, 3], [1, 2]], np.uint8),
    np.array([1, 0], np.int32),
    2,
    np.array([0.5, 2.0]),
    np.array([0.0, -1.0]),
)
# codes 0..3 of steps -1..2: up at -1/2, 1/4 and 2
TENSOR = QuantizedTensor(0.5, 2, np.array([[-0.5, 0.25, 2.0]]), 1)
ROWS, WIDE = 2, 3 * 64 + 1  # wide codes of 2 bits


def test_the_integers_of_a_layer_are_its_codes_less_the_zero_point_of_their_output() -> None:
    assert LAYER.integers().tolist() == [[-1, 2], [1, 2]]
    LAYER.check((2, 2))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"bits": 0}, "bits"),
        ({"bits": 17}, "bits"),
        ({"codes": LAYER.codes[:1]}, r"codes of shape \(1, 2\), needs \(2, 2\)"),
        ({"codes": LAYER.codes.tolist()}, "codes needs an array"),
        ({"codes": LAYER.codes + 1}, "codes needs integers from 0 to 3"),
        ({"codes": LAYER.codes * 1.0}, "codes needs integers"),
        ({"zero_point": np.array([-1, 0])}, "zero_point needs integers from 0 to 3"),
        ({"zero_point": np.array([0])}, "zero_point of shape"),
        ({"unit": np.array([0.0, 1.0])}, "unit is not between 2"),
        ({"unit": np.array([1.0, np.inf])}, "unit needs finite"),
        ({"unit": np.array([1, 1])}, "unit needs finite numbers of float64"),
        ({"bias": np.array([0.0, 2.0**301])}, r"bias is beyond 2\^300"),
        ({"bias": np.array([0.0, np.nan])}, "bias needs finite"),
    ],
)
def test_a_layer_that_cannot_be_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(LAYER, **changed).check((2, 2))


def test_a_tensor_counts_its_steps_from_its_zero_point() -> None:
    """Spec: AQ-AFFINE-5."""
    assert (TENSOR.qmin, TENSOR.qmax, TENSOR.low, TENSOR.high) == (0, 3, -1, 2)
    signed = replace(TENSOR, zero_point=-1, signed=True)
    assert (signed.qmin, signed.qmax, signed.low, signed.high) == (-2, 1, -1, 2)


@pytest.mark.parametrize("signed", [False, True])
def test_a_code_goes_up_where_it_reaches_a_crossing(signed: bool) -> None:
    """Spec: AQ-BORDER-2."""
    tensor = replace(TENSOR, zero_point=-1, signed=True) if signed else TENSOR
    t = np.array([[-9, -0.51, -0.5, 0.24, 0.25, 1.99, 2, 9]]).T
    codes = tensor.codes(t)
    assert (codes - tensor.qmin).ravel().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert codes.dtype == ("int8" if signed else "uint8")
    with pytest.raises(InputError, match="NaN"):
        tensor.codes(np.full((1, 1), np.nan))


def test_a_code_is_its_distance_from_the_zero_point_times_the_scale() -> None:
    """Spec: AQ-AFFINE-3."""
    real = TENSOR.real(np.arange(4, dtype=np.uint8), np.dtype(np.float32))
    assert (real.tolist(), real.dtype) == ([-0.5, 0.0, 0.5, 1.0], np.float32)


def test_numbers_of_numpy_become_those_that_a_file_holds() -> None:
    made = replace(TENSOR, scale=np.float64(0.5), bits=np.int64(2), zero_point=np.int8(1))
    assert [type(each) for each in (made.scale, made.bits, made.zero_point)] == [float, int, int]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scale": 0.0}, "scale is 0.0, needs"),
        ({"scale": 2.0**301}, "scale is "),
        ({"scale": float("nan")}, "scale"),
        ({"zero_point": 4}, "zero_point"),
        ({"zero_point": -1}, "zero_point"),
        ({"bits": 3}, r"crossings of shape \(1, 3\)"),
        ({"crossings": np.array([[-1.0, 0.5, 1.5]])}, "crossings lie outside their cells"),
        ({"crossings": np.array([[-0.5, 1.5, 1.5]])}, "crossings lie outside their cells"),
        ({"crossings": np.array([[-0.5, np.nan, 1.5]])}, "crossings needs finite"),
        ({"coefficients": np.zeros((3, 3))}, "coefficients of shape"),
        ({"coefficients": np.zeros((1, 3), np.float32)}, "coefficients needs finite"),
        ({"squash": "tanh"}, "squash is 'tanh', needs one of"),
    ],
)
def test_a_quantizer_that_cannot_be_is_refused(changed: dict[str, Any], message: str) -> None:
    TENSOR.check(2)
    with pytest.raises(ValueError, match=message):
        replace(TENSOR, **changed).check(2)


def window(**changed: Any) -> WindowBorder:
    tables = {
        "codes": np.zeros((1, WIDE), np.uint8),
        "lift": np.zeros((1, WIDE), np.int32),
        "fusion": np.zeros((ROWS, WIDE), np.int32),
    }
    return WindowBorder(**{**tables, **changed})


def fed_back(error_bits: int = 6, **changed: Any) -> FeedbackTables:
    """Tables of a layer with 4 outputs in 2 groups."""
    tables = {
        "codes": np.zeros((1, WIDE), np.uint8),
        "lift": np.zeros((1, WIDE), np.int32),
        "error": np.zeros((ROWS, WIDE), np.int32),
        "directions": np.ones((2, 2, ROWS // 2), np.int32),
        "pull": np.ones((2, 2, ROWS // 2), np.int32),
    }
    return FeedbackTables(**{**tables, **changed}, error_bits=error_bits)


def check(border: Any, tensor: QuantizedTensor = TENSOR) -> None:
    check_window(border, ROWS, tensor, outputs=4, groups=2)


def test_a_window_has_a_table_of_one_row_or_of_one_for_each() -> None:
    check(window())
    check(window(lift=None, fusion=None))
    check(FeedbackBorder(np.zeros((ROWS, WIDE)), 1))
    check(fed_back())
    check(fed_back(lift=np.zeros((ROWS, WIDE), np.int32)))
    one = np.ones((2, 1, ROWS // 2), np.int32)
    check(fed_back(directions=one, pull=one))


@pytest.mark.parametrize(
    ("border", "message"),
    [
        (window(codes=np.zeros((3, WIDE), np.uint8)), "codes of shape"),
        (window(codes=np.zeros((1, WIDE), np.int32)), "codes is int32, needs uint8"),
        (window(codes=np.full((1, WIDE), 4, np.uint8)), "codes needs integers from 0 to 3"),
        (window(lift=None), "has only one of lift and fusion"),
        (window(fusion=np.zeros((1, WIDE))), "fusion is float64, needs int32"),
        (window(lift=np.full((1, WIDE), -(2**30) - 1, np.int32)), "lift needs integers from"),
        (FeedbackBorder(np.zeros((1, WIDE)), 0), "rank is 0, needs at least 1"),
        (FeedbackBorder(np.full((1, WIDE), np.inf), 1), "border needs finite"),
        (FeedbackBorder(np.zeros((1, 4)), 1), "border of shape"),
        (FeedbackBorder(np.zeros((1, WIDE)), 1, "weights"), "errors is 'weights', needs one of"),
        (fed_back(codes=np.zeros((ROWS, WIDE), np.uint8)), "codes of shape"),
        (fed_back(codes=np.full((1, WIDE), 4)), "codes is int64, needs uint8"),
        (fed_back(codes=np.full((1, WIDE), 3, np.uint8)), "a code goes up from 3"),
        (fed_back(lift=np.zeros((1, WIDE - 1), np.int32)), "lift of shape"),
        (fed_back(lift=np.full((1, WIDE), 2**30 + 1, np.int32)), "lift needs integers from"),
        (fed_back(error=np.full((1, WIDE), 2**17 + 1, np.int32)), "error needs integers from"),
        (fed_back(directions=np.ones((2, 3, ROWS // 2), np.int32)), "directions of shape"),
        (fed_back(pull=np.full((2, 2, ROWS // 2), 2**15 + 1, np.int32)), "pull needs integers"),
        (fed_back(pull=np.ones((2, 1, ROWS // 2), np.int32)), "not one pull for each direction"),
        (fed_back(error_bits=9), "error_bits: needs whole numbers from 0 to 8"),
    ],
)
def test_a_window_that_cannot_round_its_tensor_is_refused(border: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(border)


def test_signed_codes_are_not_rounded_in_windows() -> None:
    with pytest.raises(ValueError, match="rounds in windows what is stored with signed codes"):
        check(window(), replace(TENSOR, zero_point=-1, signed=True))


@pytest.mark.parametrize(
    ("wide", "message"),
    [
        (WideCodes(0, -1), "fraction_bits: needs whole numbers from 1 to 6"),
        (WideCodes(7, -1), "fraction_bits: needs whole numbers from 1 to 6"),
        (WideCodes(5, 0), "least: needs whole numbers from -256 to -1"),
        (WideCodes(6, -2), r"wide codes of -2\.\.1\.98"),
        (WideCodes(6, -1, 128), r"wide codes of -1\.\.1\.0 steps do not hold all codes"),
        (WideCodes(5, -9), r"wide codes of -9"),
        (WideCodes(5, -1, 256), "largest: needs whole numbers from 1 to 255"),
    ],
)
def test_wide_codes_that_do_not_hold_all_codes_are_refused(wide: WideCodes, message: str) -> None:
    replace(TENSOR, wide=WideCodes(5, -3)).check(2)
    with pytest.raises(ValueError, match=message):
        replace(TENSOR, wide=wide).check(2)
