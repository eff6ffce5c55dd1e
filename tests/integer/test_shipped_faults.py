"""Faults that real projects shipped, each beside a case where it shows.

`wrong` is the fault as somebody would write it. On its case it must differ from the oracle, or the
case shows nothing; and this package must not.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref import oracle
from aquant_ref.integer import accumulate, accumulate_conv2d, requantize, scale_accumulator

# Scaling an accumulator, profile `exact`


def wrap32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


@pytest.mark.parametrize(
    ("acc", "m", "shift", "wrong"),
    [
        pytest.param(
            -(2**8) * 3, 2**30, 39, lambda a, m, n: oracle.half_away(a * m / 2**n), id="half_away"
        ),
        pytest.param(2**8, 2**30, 39, lambda a, m, n: round(a * m / 2**n), id="half_even"),
        pytest.param(
            -3, 2**30, 32, lambda a, m, n: int(a * m / 2**n), id="truncated on negative shifts"
        ),
        pytest.param(3, 2**30, 32, lambda a, m, n: (a * m) >> n, id="no rounding constant"),
        pytest.param(
            -3,
            2**30,
            32,
            lambda a, m, n: ((a * m) % 2**64 + 2 ** (n - 1)) >> n,
            id="unsigned rounding",
        ),
        pytest.param(
            1,
            2**31 - 1,
            32,
            lambda a, m, n: (((a * m + 2**30) >> 31) + 2 ** (n - 32)) >> (n - 31),
            id="rounded twice",
        ),
        pytest.param(
            2**24 + 1,
            2**30,
            30,
            lambda a, m, n: int(np.rint(np.float32(a) * np.float32(m / 2**n))),
            id="float32",
        ),
        pytest.param(
            5, 2**30, 31, lambda a, m, n: (a * m + 2**n // 2) >> (n - 1), id="shift off by one"
        ),
        pytest.param(
            2**31 - 1,
            2**31 - 1,
            31,
            lambda a, m, n: wrap32(a * m) >> n,
            id="product in int32",
        ),
        pytest.param(3, 2**30, 62, lambda a, m, n: (a * m) >> (n % 32), id="shift of 31 and more"),
        pytest.param(
            3, 2**30, 29, lambda a, m, n: (a * m) >> max(n, 31), id="multipliers above one"
        ),
        pytest.param(
            2**30,
            2**30,
            31,
            lambda a, m, n: a * wrap32(2 * m) >> (n + 1),
            id="carry of 2^31 kept in int32",
        ),
    ],
)
def test_scale_accumulator(
    acc: int, m: int, shift: int, wrong: Callable[[int, int, int], int]
) -> None:
    expected = oracle.scale_accumulator(acc, m, shift, "exact")
    assert int(scale_accumulator(acc, m, shift)) == expected
    assert wrong(acc, m, shift) != expected


# Accumulator to code: M = 1/2, zero point -7, int8


@pytest.mark.parametrize(
    ("acc", "wrong"),
    [
        pytest.param(
            1000, lambda a: min(oracle.half_up(a / 2), 127) - 7, id="clipped before the zero point"
        ),
        pytest.param(3, lambda a: oracle.half_even((a - 14) / 2), id="half_even after it"),
        pytest.param(-9, lambda a: max(oracle.half_up(a / 2) - 7, 0), id="ReLU at 0"),
        pytest.param(400, lambda a: (oracle.half_up(a / 2) - 7 + 128) % 256 - 128, id="wrapped"),
        pytest.param(5, lambda a: oracle.half_up(a / 2) - 7 + 128, id="uint8 offset forgotten"),
        pytest.param(9999, lambda a: min(oracle.half_up(a / 2) - 7, 128), id="2^bits"),
    ],
)
def test_requantize(acc: int, wrong: Callable[[Fraction], int]) -> None:
    expected = oracle.requantize(oracle.scale_accumulator(acc, 2**30, 31, "exact"), -7, -128, 127)
    assert int(requantize(acc, 2**30, 31, zero_point=-7, qmin=-128, qmax=127)) == expected
    assert wrong(Fraction(acc)) != expected


# Accumulators


def test_int32_wrap() -> None:
    weight, codes = np.full((1, 2), 127, np.int32), np.full((2, 1), 2**23, np.int32)
    expected = oracle.linear(codes[:, 0].tolist(), weight.tolist())
    assert accumulate(weight, codes, layer="fc")[:, 0].tolist() == expected
    assert (weight.astype(np.int16) * codes.astype(np.int16)).sum() != expected[0]


def test_int16_pair_saturation() -> None:
    weight, codes = np.array([[127, 127]], np.int8), np.array([[255], [255]], np.uint8)
    expected = oracle.linear([255, 255], [[127, 127]])
    assert accumulate(weight, codes, layer="fc")[:, 0].tolist() == expected
    assert min(127 * 255 * 2, 2**15 - 1) != expected[0]


def test_minus_128_times_minus_128() -> None:
    expected = oracle.linear([-128], [[-128]])
    least = np.array([[-128]], np.int8)
    assert accumulate(least, least, layer="fc")[:, 0].tolist() == expected
    with np.errstate(over="ignore"):
        assert (least * least)[0].tolist() != expected


# Convolutions: two rows, three columns, three input and two output channels, zero point 7

RNG = np.random.default_rng(0)
CODES = RNG.integers(0, 16, (1, 3, 2, 3))
WEIGHT = RNG.integers(-8, 8, (2, 3, 2, 3))
BIAS, ZERO_POINT, PADDING = np.array([100, -100]), 7, ((1, 1), (1, 1))


def conv(x: Any, weight: Any) -> Any:
    return np.array(oracle.conv2d(x.tolist(), weight.tolist()))


def padded(x: Any, value: int) -> Any:
    return np.pad(x, ((0, 0), *PADDING), constant_values=value)


REAL = CODES[0] - ZERO_POINT
BIASES = BIAS[:, None, None]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(
            conv(padded(CODES[0], 0) - ZERO_POINT, WEIGHT) + BIASES, id="padded with the code 0"
        ),
        pytest.param(conv(padded(CODES[0], 7), WEIGHT) + BIASES, id="zero point forgotten"),
        pytest.param(
            conv(padded(CODES[0], 0), WEIGHT)
            - ZERO_POINT * WEIGHT.sum(axis=(1, 2, 3))[:, None, None]
            + BIASES,
            id="cross terms over the unpadded window",
        ),
        pytest.param(conv(padded(REAL, 0), WEIGHT[:, :, ::-1, ::-1]) + BIASES, id="kernel flipped"),
        pytest.param(
            conv(padded(REAL, 0), WEIGHT.transpose(0, 2, 3, 1).reshape(WEIGHT.shape)) + BIASES,
            id="weight read in the order kh, kw, channel",
        ),
        pytest.param(conv(padded(REAL, 0), WEIGHT), id="bias left out"),
    ],
)
def test_convolution(wrong: Any) -> None:
    expected = conv(padded(REAL, 0), WEIGHT) + BIASES
    computed = accumulate_conv2d(
        CODES, WEIGHT, BIAS, padding=(1, 1), zero_point=ZERO_POINT, layer="conv"
    )
    assert computed[0].tolist() == expected.tolist()
    assert wrong.tolist() != expected.tolist()
