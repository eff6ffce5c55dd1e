"""Requantize accumulators in numpy as other engines do: the alternatives of layers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from aquant_ref.conformance.adapters.engine_peers import Singles, fused, scale32
from aquant_ref.errors import InputError
from aquant_ref.integer.saturate import INT32_MAX, INT32_MIN
from aquant_ref.quant import multiplier
from aquant_ref.typing import Array, Codes, Integers, Reals

ONE = np.float32(1)
ZERO_FIRST = ("float32_zero_first", "onednn", "float64_product")  # then the rounding


class Layer(NamedTuple):
    """Hold accumulators (O, P) without the bias, and float32 scales and bias, (O, 1) or ()."""

    acc: Integers
    x: Singles
    w: Singles
    y: Singles
    bias: Reals
    zero_point: int

    @property
    def unit(self) -> Singles:
        """Return the product of the scales, F(X*W)."""
        return _normal(self.x * self.w)

    @property
    def whole(self) -> Integers:
        """Add the bias, which is a whole number of units."""
        unit = np.float64(self.x) * self.w
        whole = np.rint(self.bias / unit)
        if (whole * unit != self.bias).any():
            raise InputError("bias: is not a whole number of units")
        return self.acc + whole.astype(np.int64)

    @property
    def total(self) -> Integers:
        """Add the bias in int32. Spec: AQ-INT-3."""
        total = self.whole
        if total.min() < INT32_MIN or total.max() > INT32_MAX:
            raise InputError("accumulator: overflows int32")
        return total


def requantized(
    acc: Integers,
    *,
    x_scale: float,
    weight_scale: Reals,
    bias: Reals,
    scale: float,
    profile: str,
    zero_point: int,
    qmin: int,
    qmax: int,
) -> Codes:
    """Requantize accumulators (O, ...). Spec: AQ-LAYER-1 to AQ-LAYER-9."""
    if profile == "fbgemm_tensor" and len(set(weight_scale.tolist())) > 1:
        raise InputError("weight_scale: needs one for all channels")
    x, w, y = (scale32(np.asarray(s, np.float64)) for s in (x_scale, weight_scale, scale))
    layer = Layer(acc.reshape(len(acc), -1), x, w[:, None], y, bias[:, None], zero_point)
    steps = np.rint(STEPS[profile](layer)).astype(np.float64)
    if (abs(steps) > 2.0**31).any():
        raise InputError("scale: makes more steps than int32 has")
    first = profile in ZERO_FIRST
    codes = steps + (0 if first else zero_point)
    return np.clip(codes, qmin, qmax).astype(np.int64).reshape(acc.shape)


def check_zeros(profile: str, x_zero: int, weight_zero: Integers) -> None:
    """Raise InputError for zero points where there are none. Spec: AQ-LAYER-7."""
    if profile == "tflite_16x8" and (x_zero or weight_zero.any()):
        raise InputError("tflite_16x8: needs zero points 0")


def _normal(value: Array) -> Singles:
    if not ((value >= 2.0**-126) & (value <= 2.0**126)).all():
        raise InputError("scale: a product is no normal float32")
    return np.asarray(value, np.float32)


def _single(value: Array) -> Singles:
    return value.astype(np.float32)


def _float32_product(layer: Layer) -> Array:
    """Spec: AQ-LAYER-1."""
    return _single(layer.total) * _normal(layer.unit / layer.y)


def _float32_zero_first(layer: Layer) -> Array:
    """Spec: AQ-LAYER-2. A product of three float32 numbers is rounded once here as well."""
    exact, divisor = np.float64(layer.x) * layer.w, layer.y.astype(np.float64)
    quotient = exact / divisor
    rest = _exactly_below(exact, quotient, divisor)
    single = _normal(_odd(quotient, rest).astype(np.float32))
    return _single(layer.total) * single + np.float32(layer.zero_point)


def _exactly_below(exact: Array, quotient: Array, divisor: Array) -> Array:
    """Return the sign of exact - quotient*divisor, with the product in two exact halves."""
    high = np.float64(np.float32(quotient))
    low = quotient - high
    return np.sign((exact - high * divisor) - low * divisor)


def _odd(value: Array, rest: Array) -> Array:
    """Make the last bit odd where something was lost, so that a second rounding sees no tie."""
    even = value.view(np.int64) % 2 == 0
    towards = np.where(rest > 0, np.inf, -np.inf)
    return np.where((rest != 0) & even, np.nextafter(value, towards), value)


def _onednn(layer: Layer) -> Array:
    """Spec: AQ-LAYER-3."""
    real = _single(layer.acc) * layer.x * layer.w + _single(layer.bias)
    return real * (ONE / layer.y) + np.float32(layer.zero_point)


def _fbgemm(layer: Layer) -> Array:
    """Spec: AQ-LAYER-4."""
    total = _single(layer.acc) + _single(layer.bias) / layer.unit
    return total * _normal(layer.unit / layer.y)


def _fbgemm_tensor(layer: Layer) -> Array:
    """Spec: AQ-LAYER-5."""
    total = fused(_single(layer.bias), ONE / layer.unit, _single(layer.acc))
    return total * _normal(layer.unit / layer.y)


def _qnnpack(layer: Layer) -> Array:
    """Spec: AQ-LAYER-6: the sum is that of int32, which wraps."""
    steps = np.rint(_single(layer.bias) * (ONE / layer.unit)).astype(np.float64)
    bias = np.clip(steps, INT32_MIN, INT32_MAX).astype(np.int64)
    total = (layer.acc + bias).astype(np.int32)
    return _single(total) * _normal(layer.unit * (ONE / layer.y))


def _tflite_16x8(layer: Layer) -> Array:
    """Spec: AQ-LAYER-7."""
    total = layer.whole
    if layer.zero_point or (abs(total) >= 2**47).any():
        raise InputError("tflite_16x8: needs zero points 0 and accumulators of 48 bits")
    ratios = [Fraction(float(layer.x)) * Fraction(w) for w in layer.w[:, 0].tolist()]
    pairs = [multiplier(ratio / Fraction(float(layer.y))) for ratio in ratios]
    if any(not 24 <= shift <= 62 for _, shift in pairs):
        raise InputError("scale: needs a shift of 24 to 62")
    factors = np.array([[min((m + 2**15) >> 16, 2**15 - 1)] for m, _ in pairs])
    shifts = np.array([[shift - 16] for _, shift in pairs])
    return (total * factors + (1 << (shifts - 1))) >> shifts


def _power_of_two(layer: Layer) -> Array:
    """Spec: AQ-LAYER-8."""
    mantissas, exponents = np.frexp(np.float64(layer.x) * layer.w / np.float64(layer.y))
    if (mantissas != 0.5).any():
        raise InputError("scale: needs a multiplier that is a power of two")
    right = 1 - exponents.astype(np.int64)
    shifted = layer.total << np.maximum(-right, 0)
    return (shifted + (1 << np.maximum(right, 0) >> 1)) >> np.maximum(right, 0)


def _float64_product(layer: Layer) -> Array:
    """Spec: AQ-LAYER-9."""
    return layer.total * _normal(layer.unit / layer.y).astype(np.float64) + layer.zero_point


STEPS: dict[str, Callable[[Layer], Any]] = {
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
