"""The right answers of scalar operations, worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from aquant_ref.conformance.expected import scalar
from aquant_ref.conformance.expected.refusal import Refused

CODES = {"zero_point": 1, "qmin": 0, "qmax": 255}
QUANTIZED = {"rounding": "half_even", "scale": 0.5, **CODES}
MULTIPLIED = {"multiplier": 2**30, "zero_point": 0, "qmin": -128, "qmax": 127}
SUM = {"a_scale": 0.5, "a_zero": 1, "b_scale": 0.25, "b_zero": 0, "scale": 1.0, **CODES}
MEAN = {"x_scale": 0.5, "x_zero": 1, "scale": 0.5, **CODES}
BORDER = {  # tau = T; P = 3 + c0 for T = 3, which is 1 1/2
    **{"low": -4, "high": 4, "fraction_bits": 1, "multiplier": 2**30, "shift": 30},
    **{"c0": 5, "c1": 2**15, "c2": 0, "zero_point": 2},
}


@pytest.mark.parametrize(
    ("operation", "fields", "answer"),
    [
        (scalar.round, {"rounding": "half_up", "t": -0.5}, (0,)),
        (scalar.round, {"rounding": "half_away", "t": -0.5}, (-1,)),
        (scalar.border_round, {"t": 1.25, "border": 0.25}, (2,)),
        (scalar.border_round, {"t": 1.25, "border": 0.5}, (1,)),
        (scalar.border, {**BORDER, "t": 3, "lift": 8}, (4,)),
        (scalar.border, {**BORDER, "t": 3, "lift": 7}, (3,)),
        (scalar.border, {**BORDER, "t": 9, "lift": 99}, (4,)),  # clipped to 4, which is whole
        (scalar.quantize, {**QUANTIZED, "r": 0.75}, (3,)),  # 1.5 to 2, then 1 more
        (scalar.quantize, {**QUANTIZED, "r": 1.25}, (3,)),  # 2.5 to 2
        (scalar.quantize, {**QUANTIZED, "r": -math.inf}, (0,)),
        (scalar.dequantize, {"q": 4, "scale": 0.1, "zero_point": 1}, (0.30000000000000004,)),
        (scalar.multiplier, {"m": 0.5}, (2**30, 31)),
        (scalar.multiplier, {"m": 1 - 2.0**-53}, (2**30, 30)),  # a carry
        (scalar.threshold, {"acc": 3, "t0": 1, "t1": 3, "t2": 5}, (2,)),
        (scalar.add, {**SUM, "a": 3, "b": 2}, (3,)),  # 1 + 1/2 is 2, then 1 more
        (scalar.avg_pool, {**MEAN, "total": 7, "count": 2}, (4,)),  # 3.5 - 1 is 3, then 1 more
        (scalar.clip, {"v": 2**40, "low": -8, "high": 7}, (7,)),
    ],
)
def test_answers_are_those_by_hand(
    operation: Callable[..., Any], fields: dict[str, Any], answer: tuple[Any, ...]
) -> None:
    assert operation(**fields) == answer


@pytest.mark.parametrize(
    ("profile", "code"), [("exact", -2), ("tflite_up", -2), ("tflite_away", -3), ("float32", -2)]
)
def test_minus_two_and_a_half_is_rounded_as_the_profile_says(profile: str, code: int) -> None:
    """-10 * 2^30 / 2^32; float32 rounds it to even."""
    assert scalar.requantize(acc=-10, shift=32, profile=profile, **MULTIPLIED) == (code,)


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        (scalar.round, {"rounding": "half_up", "t": math.inf}),
        (scalar.border_round, {"t": 1.25, "border": 0.0}),
        (scalar.border_round, {"t": math.nan, "border": 0.5}),
        (scalar.border, {**BORDER, "t": 3, "lift": 8, "c2": 2**29}),
        (scalar.border, {**BORDER, "t": 3, "lift": 8, "low": 5}),
        (scalar.quantize, {**QUANTIZED, "r": math.nan}),
        (scalar.quantize, {**QUANTIZED, "r": 1.0, "scale": 0.0}),
        (scalar.dequantize, {"q": 4, "scale": math.inf, "zero_point": 1}),
        (scalar.multiplier, {"m": -1.0}),
        (scalar.multiplier, {"m": 2.0**-34}),  # the shift would be 64
        (scalar.threshold, {"acc": 3, "t0": 3, "t1": 1, "t2": 5}),
        (scalar.add, {**SUM, "a": 3, "b": 2, "b_scale": 0.0}),
        (scalar.avg_pool, {**MEAN, "total": 0, "count": 0}),
        (scalar.clip, {"v": 0, "low": 1, "high": 0}),
        (scalar.requantize, {**MULTIPLIED, "acc": 1, "shift": 63, "profile": "exact"}),
        (
            scalar.requantize,
            {**MULTIPLIED, "multiplier": 2**30 - 1, "acc": 1, "shift": 31, "profile": "exact"},
        ),
        # 2^26 << 5 is beyond int32
        (scalar.requantize, {**MULTIPLIED, "acc": 2**26, "shift": 26, "profile": "tflite_up"}),
    ],
)
def test_what_is_outside_the_contract_is_refused(
    operation: Callable[..., Any], fields: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        operation(**fields)
