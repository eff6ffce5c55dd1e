"""Put this package's own arithmetic under test."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from aquant_ref import integer, quant
from aquant_ref.conformance.adapters import engine_activations as activations
from aquant_ref.conformance.adapters import engine_codes as codes
from aquant_ref.conformance.adapters import engine_half as half
from aquant_ref.conformance.adapters import engine_multipliers as multipliers
from aquant_ref.conformance.adapters import engine_peers as peers
from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.adapters.engine_layers import EngineLayers, code
from aquant_ref.conformance.cases.family import by_case
from aquant_ref.conformance.contract import EVERY_CHOICE, LAYER_VARIATIONS
from aquant_ref.engine import interpreter
from aquant_ref.engine.fast.kernels import apply, threshold_codes
from aquant_ref.engine.fast.step import Step
from aquant_ref.engine.instruction import NEVER_LIFT, Instruction
from aquant_ref.errors import InputError
from aquant_ref.quant.rounding import border_round, rule
from aquant_ref.quant.window import LIFT_LIMIT
from aquant_ref.typing import Accumulators, Array, Codes, Integers, Reals


class EngineAdapter(EngineLayers):
    """Compute real numbers by `quant`, and codes in integers by the engine."""

    name = "engine"

    def capabilities(self) -> Capabilities:
        """Declare everything."""
        return Capabilities(
            requantization=tuple(LAYER_VARIATIONS), variations=EVERY_CHOICE, rejects=True
        )

    def round(self, *, rounding: str, t: Reals) -> Array:
        """Spec: AQ-ROUND-1."""
        return _whole(rule(rounding)(t))

    def border_round(self, *, t: Reals, border: Reals) -> Array:
        """Spec: AQ-ROUND-2."""
        return _whole(border_round(t, border))

    def quantize(
        self,
        *,
        rounding: str,
        r: Reals,
        scale: Reals,
        zero_point: Integers,
        qmin: Integers,
        qmax: Integers,
        profile: str = "",
    ) -> Array:
        """Spec: AQ-AFFINE-3. A range that is no width's, such as a ReLU's, is a second clip."""
        if profile:
            ends = {"zero_point": zero_point, "qmin": qmin, "qmax": qmax}
            of = peers if profile in peers.STEPS else half
            return of.quantize(rounding=rounding, r=r, scale=scale, profile=profile, **ends)
        quantize = partial(_quantize, rounding)
        codes = _each(quantize, r=r, scale=scale, zero_point=zero_point, signed=qmin < 0)
        return integer.saturate(codes.astype(np.int64), qmin, qmax)

    def dequantize(
        self, *, q: Codes, scale: Reals, zero_point: Integers, profile: str = ""
    ) -> Array:
        """Spec: AQ-AFFINE-3."""
        if profile in half.FORMATS:
            return half.dequantize(q=q, scale=scale, zero_point=zero_point, profile=profile)
        if profile:
            return peers.dequantize(q=q, scale=scale, zero_point=zero_point)
        signed = np.minimum(q, zero_point) < 0
        return _each(_dequantize, q=q, scale=scale, zero_point=zero_point, signed=signed)

    def multiplier(self, *, m: Reals) -> tuple[Array, Array]:
        """Spec: AQ-FIXED-1."""
        mantissas, shifts = _each(quant.multiplier, m=m).T
        return mantissas, shifts

    def requantize(
        self,
        *,
        acc: Accumulators,
        multiplier: Integers,
        shift: Integers,
        profile: str,
        **ends: Array,
    ) -> Array:
        """Spec: AQ-FIXED-2 to AQ-FIXED-7."""
        if profile in integer.PROFILES:
            return integer.requantize(acc, multiplier, shift, profile=profile, **ends)
        if ((multiplier < 2**30) | (shift < 0) | (shift > 62)).any():
            raise InputError("multiplier: needs a normalised mantissa and a shift of 0 to 62")
        m = np.ldexp(multiplier.astype(np.float64), -shift)
        return quant.requantize_real(acc, m, profile=profile, **ends)

    def requantize_any(
        self, *, acc: Accumulators, multiplier: Integers, shift: Integers, **rest: Any
    ) -> Array:
        """Spec: AQ-FIXED-10."""
        return multipliers.requantize_any(acc, multiplier, shift, **rest)

    def border(self, **columns: Array) -> Array:
        """Spec: AQ-FIXED-9. Each case is an instruction of its own."""
        coefficients = np.stack([columns[name] for name in ("c0", "c1", "c2")], axis=1)
        if (abs(coefficients).sum(axis=1) > LIFT_LIMIT).any():
            raise InputError("border: the coefficients are too large")
        return _each(_border, **columns)

    def threshold(self, *, acc: Accumulators, t0: Integers, t1: Integers, t2: Integers) -> Array:
        """Spec: AQ-LOWER-1. Each case is a channel of its own."""
        thresholds = np.stack([t0, t1, t2], axis=1)
        if ((t0 > t1) | (t1 > t2)).any():
            raise InputError("thresholds: needs sorted ones")
        return threshold_codes(acc[None, :, None, None], thresholds, 0).reshape(-1)

    def add(self, *, a: Codes, b: Codes, scale: Reals, profile: str = "", **rest: Array) -> Array:
        """Spec: AQ-LOWER-2: the terms in one unit, then thresholds."""
        if profile:
            return peers.add(profile, a=a, b=b, scale=scale, **rest)
        return _each(_add, a=a, b=b, scale=scale, **rest)

    def avg_pool(
        self, *, total: Codes, count: Integers, scale: Reals, profile: str = "", **rest: Array
    ) -> Array:
        """Spec: AQ-LOWER-3: the sum, its count in the unit, then thresholds."""
        if profile:
            return peers.avg_pool(profile, total=total, count=count, scale=scale, **rest)
        return _each(_avg_pool, total=total, count=count, scale=scale, **rest)

    def rescale_codes(self, *, x: Codes, scale: Reals, profile: str = "", **rest: Array) -> Array:
        """Spec: AQ-CODES-1, by thresholds for the codes of the input (AQ-LOWER-1)."""
        if profile:
            return codes.rescale_codes(profile, x=x, scale=scale, **rest)
        codes.positive(rest["x_scale"], scale)
        return _each(_rescale_codes, x=x, scale=scale, **rest)

    def mul(self, *, a: Codes, b: Codes, scale: Reals, profile: str = "", **rest: Array) -> Array:
        """Spec: AQ-CODES-6, by the product of steps (AQ-LOWER-12), then thresholds."""
        if profile:
            return codes.mul(profile, a=a, b=b, scale=scale, **rest)
        codes.positive(rest["a_scale"], rest["b_scale"], scale)
        zeros = {f"zero_point_{name}": rest.pop(f"{name}_zero") for name in "ab"}
        each = Instruction("mul", "mul", ("a", "b"), {}, zeros)  # each case is a channel of its own
        acc = interpreter.apply(each, [a[None], b[None]])[0]
        return _each(_mul, acc=acc, scale=scale, **rest)

    def activation_range(
        self, *, activation: str, profile: str = "", **columns: Array
    ) -> tuple[Array, Array]:
        """Spec: AQ-ACT-1 to AQ-ACT-4."""
        return activations.activation_range(profile, activation=activation, **columns)

    def clip(self, *, v: Integers, low: Integers, high: Integers) -> Array:
        """Spec: AQ-INT-1."""
        return integer.saturate(v, low, high)


def _whole(values: Array) -> Array:
    if not np.isfinite(values).all():
        raise InputError("round: needs finite numbers")
    return values.astype(np.int64)


def _each(function: Any, **columns: Array) -> Array:
    return np.array(by_case(function, columns))


def _widest(scale: Any, zero_point: Any, *, signed: bool) -> quant.QParams:
    return quant.QParams(scale, zero_point, 16, signed=signed)


def _quantize(rounding: str, *, r: float, scale: float, zero_point: int, signed: bool) -> int:
    widest = _widest(scale, zero_point, signed=signed)
    return int(quant.quantize(np.float64(r), widest, rounding=rounding))


def _dequantize(*, q: int, scale: float, zero_point: int, signed: bool) -> float:
    return float(quant.dequantize(np.int64(q), _widest(scale, zero_point, signed=signed)))


def _border(*, t: int, c0: int, c1: int, c2: int, lift: int, **numbers: int) -> int:
    bits, zero = numbers["fraction_bits"], numbers["zero_point"]
    ends = (numbers["low"] >> bits) + zero, -(-numbers["high"] >> bits) + zero
    table = np.full(1 << bits, lift, np.int32)
    table[0] = NEVER_LIFT
    arrays = {"coefficients": np.array([[c0, c1, c2]], np.int32), "lift": table}
    attributes = {**numbers, "least": ends[0], "largest": ends[1]}
    each = Instruction("border", "border", ("t",), attributes, arrays)
    return int(apply(Step(each), [np.full((1, 1), t, np.int32)])[0, 0])


def _rescale_codes(*, x: int, x_scale: float, x_zero: int, **end: Any) -> int:
    unit = Fraction(x_scale)
    return code(x, unit, -unit * x_zero, **end)


def _mul(*, acc: int, a_scale: float, b_scale: float, **end: Any) -> int:
    return code(acc, Fraction(a_scale) * Fraction(b_scale), Fraction(0), **end)


def _add(
    *, a: int, b: int, a_scale: float, b_scale: float, a_zero: int, b_zero: int, **end: Any
) -> int:
    first, second = Fraction(a_scale), Fraction(b_scale)
    unit = Fraction(1, first.denominator * second.denominator)
    acc = a * int(first / unit) + b * int(second / unit)
    return code(acc, unit, -(first * a_zero + second * b_zero), **end)


def _avg_pool(*, total: int, count: int, x_scale: float, x_zero: int, **end: Any) -> int:
    unit = Fraction(x_scale) / count
    return code(total, unit, -Fraction(x_scale) * x_zero, **end)
