"""Requantize an accumulator without its bias as other engines do, in Python's numbers.

A float64 operation on float32 numbers, rounded to float32, is the float32 operation. Written apart
from the oracle. Spec: AQ-LAYER-1 to AQ-LAYER-9.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.arithmetic import F, once, rounded, wrap
from aquant_ref.conformance.faults.arithmetic import packed as f32
from aquant_ref.conformance.faults.rescaling import mantissa
from aquant_ref.typing import Array

# X, W, Y, the bias and the zero point; then from an accumulator to steps without the zero point
Engine = Callable[[float, float, float, float, int], Callable[[int], int]]


def even(t: float) -> int:
    return rounded("half_even", t)


def whole(bias: float, x: float, w: float) -> int:
    return round(F(bias) / (F(x) * F(w)))


def product(x: float, w: float, y: float, bias: float, _zero: int) -> Callable[[int], int]:
    m, b = f32(f32(x * w) / y), whole(bias, x, w)
    return lambda acc: even(f32(f32(acc + b) * m))


def zero_first(x: float, w: float, y: float, bias: float, zero: int) -> Callable[[int], int]:
    m, b = once(F(x) * F(w) / F(y)), whole(bias, x, w)
    return lambda acc: even(f32(f32(f32(acc + b) * m) + zero)) - zero


def onednn(x: float, w: float, y: float, bias: float, zero: int) -> Callable[[int], int]:
    b, inverse = f32(bias), f32(1 / y)

    def steps(acc: int) -> int:
        real = f32(f32(f32(f32(acc) * x) * w) + b)
        return even(f32(f32(real * inverse) + zero)) - zero

    return steps


def fbgemm(x: float, w: float, y: float, bias: float, _zero: int) -> Callable[[int], int]:
    unit = f32(x * w)
    m, b = f32(unit / y), f32(f32(bias) / unit)
    return lambda acc: even(f32(f32(f32(acc) + b) * m))


def fbgemm_tensor(x: float, w: float, y: float, bias: float, _zero: int) -> Callable[[int], int]:
    unit = f32(x * w)
    m, b, inverse = f32(unit / y), F(f32(bias)), F(f32(1 / unit))
    return lambda acc: even(f32(once(b * inverse + F(f32(acc))) * m))


def qnnpack(x: float, w: float, y: float, bias: float, _zero: int) -> Callable[[int], int]:
    unit = f32(x * w)
    m = f32(unit * f32(1 / y))
    b = min(max(even(f32(f32(bias) * f32(1 / unit))), -(2**31)), 2**31 - 1)
    return lambda acc: even(f32(f32(wrap(acc + b, 32)) * m))


def reduced(x: float, w: float, y: float, bias: float, _zero: int) -> Callable[[int], int]:
    """The multiplier has 15 bits, the accumulator 64."""
    (m, shift), b = mantissa(F(x) * F(w) / F(y)), whole(bias, x, w)
    factor, n = min((m + 2**15) // 2**16, 2**15 - 1), shift - 16
    return lambda acc: ((acc + b) * factor + (1 << (n - 1))) >> n


def shifted(x: float, w: float, y: float, bias: float, _zero: int) -> Callable[[int], int]:
    n, b = math.frexp(y / (x * w))[1] - 1, whole(bias, x, w)
    return lambda acc: (2 * (acc + b) + (1 << n)) >> (n + 1) if n >= 0 else (acc + b) << -n


def product64(x: float, w: float, y: float, bias: float, zero: int) -> Callable[[int], int]:
    m, b = f32(f32(x * w) / y), whole(bias, x, w)
    return lambda acc: even((acc + b) * m + zero) - zero


def by_engine(engine: Engine, acc: Array, f: dict[str, Any]) -> Array:
    """Return the steps of accumulators (O, P)."""
    channels = zip(acc.tolist(), f["weight_scale"].tolist(), f["bias"].tolist(), strict=True)
    x, y, zero = f["x_scale"], f["scale"], f["zero_point"]
    rows = [list(map(engine(x, w, y, b, zero), row)) for row, w, b in channels]
    return np.array(rows, np.int64)


ENGINES: dict[str, Engine] = {
    "float32_product": product,
    "float32_zero_first": zero_first,
    "onednn": onednn,
    "fbgemm": fbgemm,
    "fbgemm_tensor": fbgemm_tensor,
    "qnnpack": qnnpack,
    "tflite_16x8": reduced,
    "power_of_two": shifted,
    "float64_product": product64,
}
