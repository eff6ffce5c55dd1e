"""Every public function of `integer` and `quant`, given what no reader would expect: right, or one
line; nothing wraps, is cast or is warned about.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np
import pytest

from aquant_ref import integer, oracle, quant
from aquant_ref.errors import InputError
from aquant_ref.quant import QParams
from aquant_ref.quant.multiplier import REAL_PROFILES
from aquant_ref.quant.rounding import RULES, border_round

Exact = Fraction | int
QPARAMS = QParams(0.25, 100, 8)

BIG = [2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63)]
READ_ONLY = np.array([3, 5])
READ_ONLY.flags.writeable = False
ODD: dict[str, Any] = {
    "int8 at its ends": np.array([-128, -127, 0, 127], np.int8),
    "uint8 at its end": np.array([0, 200, 255], np.uint8),
    "uint16": np.array([0, 2**16 - 1], np.uint16),
    "uint32": np.array([0, 2**32 - 1], np.uint32),
    "uint64": np.array([0, 7, 255], np.uint64),
    "uint64 beyond int64": np.array([2**63, 2**64 - 1], np.uint64),
    "int64": np.array(BIG),
    "int64 beyond a float64": np.array([2**53 + 1]),
    "bool": np.array([True, False]),
    "one bool": True,
    "float16": np.array([0.5, -3, 40], np.float16),
    "float32": np.array([0.1, 2.5], np.float32),
    "float64": np.array([0.1, -2.5, 1e300, 5e-324]),
    "longdouble": np.array([1, 2], np.longdouble) / 3,
    "a longdouble that is a float64": np.array([1.5], np.longdouble),
    "infinity": np.array([np.inf, -np.inf]),
    "NaN": np.array([np.nan]),
    "complex": np.array([1 + 0j, 2 + 3j]),
    "one complex": 1j,
    "objects": np.array([1, 2], object),
    "huge objects": np.array([2**70, 1], object),
    "fractions": np.array([Fraction(1, 3)], object),
    "one fraction": Fraction(1, 3),
    "one decimal": Decimal("0.1"),
    "a list": [3, -4],
    "a list of huge numbers": [2**70, 1],
    "a list with a bool": [True, 3],
    "a list of both signs beyond int64": [2**63, -1],
    "one number": 5,
    "one huge number": -(2**70),
    "one number of numpy": np.int16(-9),
    "0-d": np.array(17),
    "empty": np.array([], np.int64),
    "an empty list": [],
    "every second": np.arange(10)[::2],
    "backwards": np.arange(10, dtype=np.int8)[::-1],
    "read-only": READ_ONLY,
    "big-endian": np.array([1, -2, 300], ">i4"),
    "big-endian floats": np.array([1.5, -2.5], ">f8"),
    "text": np.array(["1", "2"]),
    "a word": "12",
    "bytes": b"12",
    "None": None,
    "dates": np.array(["2020-01-01"], "datetime64[D]"),
    "durations": np.array([3], "timedelta64[s]"),
    "ragged": [[1], [2, 3]],
    "a mapping": {1: 2},
    "records": np.zeros(2, [("a", int)]),
}


def exact(values: Any) -> list[Exact | float]:
    """Each element as Python has it; fails for what is no number."""
    flat: list[Any] = []
    for value in np.asarray(values, object).ravel().tolist():
        if isinstance(value, np.generic):
            value = value.item() if value.dtype.kind in "biu" else value
        if isinstance(value, np.longdouble | float) and not math.isfinite(value):
            flat.append(float(value))
        elif isinstance(value, int | float | Fraction | Decimal):
            flat.append(Fraction(value))
        elif isinstance(value, np.floating):
            flat.append(Fraction(*value.as_integer_ratio()))
        else:
            raise AssertionError(f"{value!r} has no right answer")
    return flat


def whole(value: Any) -> int:
    assert Fraction(value).denominator == 1, "a fraction was taken for an integer"
    return int(value)


def int32(value: Any) -> int:
    assert -(2**31) <= whole(value) < 2**31, "what int32 does not hold was taken"
    return whole(value)


def of_infinity(value: Any, at: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """`at` of a finite value; infinity saturates, and NaN has no answer."""
    assert value == value, "NaN was given an answer"
    return at(value) if abs(value) != math.inf else (high if value > 0 else low)


def code(value: Any) -> int:
    args = Fraction(1, 4), 100, 0, 255
    return int(of_infinity(value, lambda v: oracle.quantize(v, *args), 0, 255))


def real_code(value: Any) -> int:
    return oracle.requantize_real(
        int32(value), Fraction(1, 4), "float64", zero_point=3, qmin=-90, qmax=90
    )


def multiplier(value: Any) -> tuple[int, int]:
    assert 0 < value < math.inf
    found = oracle.multiplier(value)
    assert 0 <= found[1] <= 62
    return found


def rounded(name: str) -> Callable[[Any], Any]:
    """NaN stays NaN: a rounding is of a real number, and has no code."""
    rule = oracle.ROUNDINGS[name]
    return lambda v: v if isinstance(v, float) else rule(v)


def each(at: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda values: [at(value) for value in exact(values)]


def one(values: Any) -> Any:
    """To be shaped; what is ragged cannot be, and goes as what no array of numbers is."""
    return np.array(["ragged"]) if values is ODD["ragged"] else np.asarray(values)


Door = tuple[Callable[[Any], Any], Callable[[Any], list[Any]]]
# The function of the odd values, and of the same values what is right, in Python's numbers.
DOORS: dict[str, Door] = {
    "saturate": (
        lambda v: integer.saturate(v, -5, 100),
        each(lambda v: oracle.clip(whole(v), -5, 100)),
    ),
    "saturate, low": (
        lambda v: integer.saturate(-(2**31), v, 2**31 - 1),
        each(lambda v: int32(v)),
    ),
    "saturate, high": (
        lambda v: integer.saturate(2**31 - 1, -(2**31), v),
        each(lambda v: int32(v)),
    ),
    "shift_right": (
        lambda v: integer.shift_right(v, 3, rounding="half_even"),
        each(lambda v: oracle.half_even(Fraction(whole(v), 8))),
    ),
    "shift_right, shift": (
        lambda v: integer.shift_right(2**40 + 1, v, rounding="ceil"),
        each(lambda v: math.ceil(Fraction(2**40 + 1, 2 ** whole(v)))),
    ),
    "scale_accumulator": (
        lambda v: integer.scale_accumulator(v, 2**30 + 1, 33, profile="tflite_away"),
        each(lambda v: oracle.scale_accumulator(int32(v), 2**30 + 1, 33, "tflite_away")),
    ),
    "requantize": (
        lambda v: integer.requantize(v, 2**30, 31, zero_point=3, qmin=-9, qmax=90),
        each(lambda v: oracle.clip(oracle.half_up(Fraction(int32(v), 2)) + 3, -9, 90)),
    ),
    "requantize, zero point": (
        lambda v: integer.requantize(9, 2**30, 31, zero_point=v, qmin=-(2**31), qmax=2**31 - 1),
        each(lambda v: oracle.clip(5 + int32(v), -(2**31), 2**31 - 1)),
    ),
    "accumulate": (
        lambda v: integer.accumulate([[3]], one(v).reshape(1, 1, -1), layer="c"),
        each(lambda v: int32(3 * whole(v))),
    ),
    "accumulate, weight": (
        lambda v: integer.accumulate(one(v).reshape(-1, 1), [[3]], layer="c"),
        each(lambda v: int32(3 * whole(v))),
    ),
    "accumulate, bias": (
        lambda v: integer.accumulate(
            np.zeros((one(v).size, 1), int), [[3]], one(v).ravel(), layer="c"
        ),
        each(lambda v: int32(v)),
    ),
    "accumulate_conv2d": (
        lambda v: integer.accumulate_conv2d(one(v).reshape(-1, 1, 1, 1), [[[[3]]]], layer="c"),
        each(lambda v: int32(3 * whole(v))),
    ),
    "accumulate_conv2d, zero point": (
        lambda v: integer.accumulate_conv2d([[[[0]]]], [[[[3]]]], zero_point=v, layer="c"),
        each(lambda v: int32(-3 * whole(v))),
    ),
    "quantize": (lambda v: quant.quantize(v, QPARAMS), each(code)),
    "fake_quantize": (
        lambda v: quant.fake_quantize(v, QPARAMS),
        each(lambda v: Fraction(code(v) - 100, 4)),
    ),
    "dequantize": (
        lambda v: quant.dequantize(v, QPARAMS),
        each(lambda v: Fraction(whole(v) - 100, 4)),
    ),
    "QParams, scale": (
        lambda v: QParams(v, 3, 8).scale,
        each(lambda v: of_infinity(v, lambda s: s, None, None)),
    ),
    "QParams, zero point": (lambda v: QParams(0.5, v, 8).zero_point, each(lambda v: whole(v))),
    "from_range": (
        lambda v: quant.from_range(-1000.0, v, 8).scale,
        each(
            lambda v: oracle.to_float(oracle.to_float(max(v, 0) + 1000, 53, -1074) / 255, 53, -1074)
        ),
    ),
    "multiplier": (lambda v: quant.multiplier(v), each(multiplier)),
    "requantize_real": (
        lambda v: quant.requantize_real(
            v, 0.25, zero_point=3, qmin=-90, qmax=90, profile="float64"
        ),
        each(real_code),
    ),
    "requantize_real, multiplier": (
        lambda v: quant.requantize_real(8, v, qmin=-90, qmax=90, profile="float64"),
        each(lambda v: oracle.requantize_real(8, v, "float64", qmin=-90, qmax=90)),
    ),
    "requantize_real, end": (
        lambda v: quant.requantize_real(2**31 - 1, 1.0, qmin=-(2**31), qmax=v, profile="float64"),
        each(lambda v: int32(v)),
    ),
    "check_bits": (lambda v: quant.check_bits("bits", v), each(lambda v: whole(v))),
    "code_range": (
        lambda v: quant.code_range(v, signed=False)[1],
        each(lambda v: 2 ** whole(v) - 1),
    ),
    **{
        f"rounding, {name}": (lambda v, rule=rule: rule(v), each(rounded(name)))
        for name, rule in RULES.items()
    },
    "border_round": (
        lambda v: border_round(v, 0.75),
        each(lambda v: v if isinstance(v, float) else oracle.border_round(v, Fraction(3, 4))),
    ),
    "border_round, border": (
        lambda v: border_round(0.5, v),
        each(lambda v: oracle.border_round(Fraction(1, 2), v)),
    ),
}


def test_every_public_function_has_a_door() -> None:
    public = {
        name
        for room in (integer, quant)
        for name in room.__all__
        if isinstance(getattr(room, name), FunctionType | type)
    }
    assert {name.partition(",")[0] for name in DOORS} - {"rounding", "border_round"} == public


@pytest.mark.parametrize("door", DOORS)
def test_odd_values_are_read_right_or_refused_in_one_line(door: str) -> None:
    function, right = DOORS[door]
    taken = 0
    for name, values in ODD.items():
        try:
            found = function(values)
        except InputError as refusal:
            lines = str(refusal).splitlines()
        else:
            lines, taken = [], taken + 1
            assert same(as_list(found), right(values)), f"{door}: {name} gave {found}"
        assert len(lines) < 2, name
    assert taken


def as_list(found: Any) -> list[Any]:
    if isinstance(found, tuple):
        return [found]
    array = np.asarray(found)
    return exact(found) if array.dtype == np.longdouble else array.ravel().tolist()


def same(found: list[Any], expected: list[Any]) -> bool:
    return len(found) == len(expected) and all(
        a == b or (a != a and b != b) for a, b in zip(found, expected, strict=True)
    )


def test_shapes_that_do_not_meet_are_refused_in_one_line() -> None:
    two, three = np.ones(2, int), np.ones(3, int)
    for call in (
        lambda: integer.saturate(two, 0, three),
        lambda: integer.saturate(1, two, three),
        lambda: integer.shift_right(two, three, rounding="floor"),
        lambda: integer.scale_accumulator(two, three * 2**30, 31),
        lambda: integer.requantize(two, 2**30, 31, qmin=three, qmax=9),
        lambda: integer.requantize(two, 2**30, 31, zero_point=three, qmin=0, qmax=9),
        lambda: integer.accumulate(np.ones((2, 3), int), np.ones((2, 2), int), layer="c"),
        lambda: integer.accumulate([[1]], [[1]], three, layer="c"),
        lambda: integer.accumulate(1, 1, layer="c"),
        lambda: integer.accumulate_conv2d(two, three, layer="c"),
        lambda: quant.requantize_real(two, three * 0.5, qmin=0, qmax=9, profile="float32"),
        lambda: quant.requantize_real(two, 0.5, qmin=0, qmax=three, profile="float32"),
        lambda: quant.from_range(-two, three, 8),
        lambda: border_round(two * 0.5, three * 0.5),
    ):
        with pytest.raises(InputError) as error:
            call()
        assert "\n" not in str(error.value)


def test_names_that_are_no_text_are_refused_in_one_line() -> None:
    for name in (None, 3, ["exact"], np.array(["exact", "floor"]), {}):
        for call in (
            partial(integer.shift_right, 1, 1, rounding=name),
            partial(integer.requantize, 1, 2**30, 31, qmin=0, qmax=9, profile=name),
            partial(quant.quantize, 1.0, QPARAMS, rounding=name),
            partial(quant.requantize_real, 1, 0.5, qmin=0, qmax=9, profile=name),
        ):
            with pytest.raises(InputError):
                call()


def test_ends_in_the_wrong_order_or_beyond_int32_are_refused_by_every_requantization() -> None:
    for ends in ((1, 0), (0, 2**31), (-(2**31) - 1, 0), (0.5, 3), (0, 2**40)):
        low, high = ends
        with pytest.raises(InputError):
            integer.requantize(5, 2**30, 31, qmin=low, qmax=high)
        for profile in REAL_PROFILES:
            with pytest.raises(InputError):
                quant.requantize_real(5, 0.5, qmin=low, qmax=high, profile=profile)


@pytest.mark.parametrize(("name", "value"), [("signed", "no"), ("signed", 2), ("axis", 1.0)])
def test_a_quantizer_of_odd_kind_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=name):
        QParams(1.0, 0, 8, **{name: value})
