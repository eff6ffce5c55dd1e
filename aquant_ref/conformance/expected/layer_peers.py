"""Requantize the accumulators of a layer as other engines do. Spec: AQ-LAYER-1 to AQ-LAYER-9.

F rounds an exact rational to the nearest float32, D to the nearest float64, ties to even.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from aquant_ref import oracle
from aquant_ref.conformance.expected.peers import NORMAL, scale32
from aquant_ref.conformance.expected.peers import double as D
from aquant_ref.conformance.expected.peers import single as F
from aquant_ref.conformance.expected.refusal import INT32_MAX, INT32_MIN, need

if TYPE_CHECKING:
    from aquant_ref.oracle import Tensor

Code = Callable[[int], int]  # from an accumulator without its bias


def requantized(
    acc: Tensor,
    *,
    x_scale: float,
    weight_scale: Sequence[float],
    bias: Sequence[float],
    scale: float,
    profile: str,
    **ends: int,
) -> Tensor:
    """Return codes; the accumulators are those without the bias."""
    need(profile != "fbgemm_tensor" or len(set(weight_scale)) == 1)
    x, y = scale32(x_scale), scale32(scale)
    codes = []
    for row, w, b in zip(acc, weight_scale, bias, strict=True):
        of_channel = CHANNELS[profile](x, scale32(w), y, Fraction(b), **ends)
        codes.append(oracle.apply(of_channel, row))
    return codes


def zeros(profile: str, x_zero: int, weight_zero: Sequence[int]) -> None:
    """Refuse zero points where the alternative has none. Spec: AQ-LAYER-7."""
    need(profile != "tflite_16x8" or not any((x_zero, *weight_zero)))


def normal(value: Fraction) -> Fraction:
    """Require that a product of scales is a normal float32, and so is its reciprocal."""
    need(NORMAL <= value <= 1 / NORMAL)
    return value


def nearest(steps: Fraction, zero_point: int, qmin: int, qmax: int) -> int:
    """Return the code of steps that fit int32, ties to even, before the zero point is added."""
    need(abs(steps) < 2**31)
    return oracle.clip(oracle.half_even(steps) + zero_point, qmin, qmax)


def whole(bias: Fraction, unit: Fraction) -> int:
    """Return the bias in units, which is an integer. Spec: AQ-INT-3."""
    steps = bias / unit
    need(steps.denominator == 1)
    return int(steps)


def int32(value: int) -> int:
    """Require an int32. Spec: AQ-INT-3."""
    need(INT32_MIN <= value <= INT32_MAX)
    return value


def _float32_product(x: Fraction, w: Fraction, y: Fraction, bias: Fraction, **ends: int) -> Code:
    """Spec: AQ-LAYER-1."""
    m, b = normal(F(normal(F(x * w)) / y)), whole(bias, x * w)
    return lambda acc: nearest(F(F(int32(int32(acc) + b)) * m), **ends)


def _float32_zero_first(
    x: Fraction, w: Fraction, y: Fraction, bias: Fraction, *, zero_point: int, **ends: int
) -> Code:
    """Spec: AQ-LAYER-2."""
    m, b = normal(F(x * w / y)), whole(bias, x * w)

    def code(acc: int) -> int:
        steps = F(F(int32(int32(acc) + b)) * m)
        return nearest(F(steps + zero_point), 0, **ends)

    return code


def _onednn(
    x: Fraction, w: Fraction, y: Fraction, bias: Fraction, *, zero_point: int, **ends: int
) -> Code:
    """Spec: AQ-LAYER-3. What its kernels compute in another order must not matter."""
    unit, inverse = normal(F(x * w)), F(1 / y)
    need(all(F(1 / F(1 / s)) == s for s in (x, w)))

    def code(acc: int) -> int:
        sums = {F(F(v) + F(bias)) for v in (F(acc * x) * w, F(acc * w) * x, acc * unit)}
        need(len(sums) == 1 and abs(acc) < 2**24)
        (real,) = sums
        return nearest(F(F(real * inverse) + zero_point), 0, **ends)

    return code


def _fbgemm(x: Fraction, w: Fraction, y: Fraction, bias: Fraction, **ends: int) -> Code:
    """Spec: AQ-LAYER-4."""
    unit = normal(F(x * w))
    m, b = normal(F(unit / y)), F(F(bias) / unit)
    return lambda acc: nearest(F(F(F(int32(acc)) + b) * m), **ends)


def _fbgemm_tensor(x: Fraction, w: Fraction, y: Fraction, bias: Fraction, **ends: int) -> Code:
    """Spec: AQ-LAYER-5: the bias joins in a fused multiply-add."""
    unit = normal(F(x * w))
    m, b = normal(F(unit / y)), F(bias) * F(1 / unit)
    return lambda acc: nearest(F(F(F(int32(acc)) + b) * m), **ends)


def _qnnpack(x: Fraction, w: Fraction, y: Fraction, bias: Fraction, **ends: int) -> Code:
    """Spec: AQ-LAYER-6: the sum wraps."""
    unit = normal(F(x * w))
    m = normal(F(unit * F(1 / y)))
    b = oracle.clip(oracle.half_even(F(F(bias) * F(1 / unit))), INT32_MIN, INT32_MAX)

    def code(acc: int) -> int:
        total = (int32(acc) + b - INT32_MIN) % 2**32 + INT32_MIN
        return nearest(F(F(total) * m), **ends)

    return code


def _tflite_16x8(x: Fraction, w: Fraction, y: Fraction, bias: Fraction, **ends: int) -> Code:
    """Spec: AQ-LAYER-7: the multiplier is reduced to 15 bits."""
    multiplier, shift = oracle.multiplier(x * w / y)
    need(24 <= shift <= 62 and ends["zero_point"] == 0)
    reduced, b = min(oracle.half_up(Fraction(multiplier, 2**16)), 2**15 - 1), whole(bias, x * w)

    def code(acc: int) -> int:
        need(abs(acc + b) < 2**47)
        steps = oracle.half_up(Fraction((acc + b) * reduced, 2 ** (shift - 16)))
        return oracle.clip(int32(steps), ends["qmin"], ends["qmax"])

    return code


def _power_of_two(x: Fraction, w: Fraction, y: Fraction, bias: Fraction, **ends: int) -> Code:
    """Spec: AQ-LAYER-8: a shift."""
    m, b = x * w / y, whole(bias, x * w)
    need(m.numerator & (m.numerator - 1) == 0 == m.denominator & (m.denominator - 1))
    return lambda acc: oracle.requantize(oracle.half_up(int32(int32(acc) + b) * m), **ends)


def _float64_product(
    x: Fraction, w: Fraction, y: Fraction, bias: Fraction, *, zero_point: int, **ends: int
) -> Code:
    """Spec: AQ-LAYER-9."""
    m, b = normal(F(normal(F(x * w)) / y)), whole(bias, x * w)
    return lambda acc: nearest(D(D(int32(int32(acc) + b) * m) + zero_point), 0, **ends)


CHANNELS: dict[str, Callable[..., Code]] = {
    "float32_product": _float32_product,
    "float32_zero_first": _float32_zero_first,
    "onednn": _onednn,
    "fbgemm": _fbgemm,
    "fbgemm_tensor": _fbgemm_tensor,
    "qnnpack": _qnnpack,
    "tflite_16x8": _tflite_16x8,
    "power_of_two": _power_of_two,
    "float64_product": _float64_product,
}


def code_of(profile: str, acc: int, **fields: Any) -> int:
    """Return the code of one accumulator without its bias, in one channel."""
    ends = {key: fields.pop(key) for key in ("zero_point", "qmin", "qmax")}
    scales = (scale32(fields[key]) for key in ("x_scale", "weight_scale", "scale"))
    return CHANNELS[profile](*scales, Fraction(fields["bias"]), **ends)(acc)
