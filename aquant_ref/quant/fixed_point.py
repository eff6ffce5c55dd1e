"""Derive the integers that replace a real multiplier, a bias and a border in fixed point.

For hardware that multiplies and shifts but has no thresholds, T lies between an accumulator and its
code: a number of steps of the quantizer with f fraction bits.

    T = round((acc * 2^left + bias) * M),  M = unit * 2^(f - left) / scale      a `Rescaling`
    code = floor(T / 2^f) + up + z                                              a `FixedBorder`

A variation of requantization (`profile`) rounds T. With 2-bit weights and activations an
accumulator is coarse: its unit may be one step of the next tensor, or many. `left` gives the bias
the fraction bits that it needs; `left` is 0 in most 8-bit networks. `up` compares the fraction of T
with the polynomial of the border, evaluated in integers (AQ-FIXED-8, AQ-FIXED-9).

This module computes these numbers once, in exact rationals. The oracle, the simulation and the
engine apply them independently of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from aquant_ref.checks import integer, settle, word
from aquant_ref.errors import InputError
from aquant_ref.integer import PROFILES as INTEGER_PROFILES
from aquant_ref.integer.saturate import INT32_MAX
from aquant_ref.quant.border import inverse_squash
from aquant_ref.quant.multiplier import multiplier
from aquant_ref.quant.window import LIFT_BITS, LIFT_LIMIT, NEVER_LIFT
from aquant_ref.typing import Integers, Reals

# `float64_onnx` is excluded: it adds the zero point before rounding, and so gives no number of
# steps that an add could continue with.
FLOAT_PROFILES = ("float32", "float64")
PROFILES = (*INTEGER_PROFILES, *FLOAT_PROFILES)
MAX_FRACTION_BITS = 16
MAX_LEFT = 31
LEAST_MULTIPLIER = Fraction(1, 2**32)  # with less, no int32 reaches half a step
TAU_BITS = 15  # fraction bits of tau, so that a product with a 16-bit coefficient fits 32 bits


@dataclass(frozen=True)
class FixedPoint:
    """Choose a lowering to fixed point: the fraction bits of T, and the variation that rounds T.

    Spec: AQ-LOWER-10. Raise InputError for bits outside 0..16 or an unknown variation.
    """

    fraction_bits: int = 8
    profile: str = "exact"

    def __post_init__(self) -> None:
        settle(
            self,
            fraction_bits=integer("fraction bits", self.fraction_bits, 0, MAX_FRACTION_BITS),
            profile=word("profile", self.profile, PROFILES),
        )


@dataclass(frozen=True)
class Rescaling:
    """Hold the parameters of T = round((acc * 2^left + bias) * M), one of each per channel.

    Spec: AQ-FIXED-8. All are int32 (C,), with M = `multiplier` * 2^-`shift`. A variation that
    rounds in floating point has no shift; its `multiplier` is M itself, float64.
    """

    left: Integers
    bias: Integers
    multiplier: Integers | Reals
    shift: Integers | None


def rescaling(
    unit: Sequence[Fraction],
    bias: Sequence[Fraction],
    scale: Fraction,
    fraction_bits: int,
    options: FixedPoint,
) -> Rescaling:
    """Derive the rescaling from accumulators, worth unit*acc + bias, to T with `fraction_bits`.

    Spec: AQ-FIXED-8. `unit` and `bias` have one number per channel; `scale` is the step of T.
    Biases keep the fraction bits of `options`. Raise InputError if a bias does not fit int32, or a
    unit is too large or too small compared with the step.
    """
    left = [int(u / scale * 2**options.fraction_bits).bit_length() for u in unit]
    units = [u / 2**k for u, k in zip(unit, left, strict=True)]
    bias_in_units = [round(b / u) for u, b in zip(units, bias, strict=True)]  # half_even, exact
    largest = max(map(abs, bias_in_units))
    if max(left) > MAX_LEFT:
        raise InputError(f"its unit is 2^{max(left)} of the steps that it is rescaled to")
    if largest > INT32_MAX:
        raise InputError(f"its bias is {largest} units, beyond int32")
    lefts, biases = np.array(left, np.int32), np.array(bias_in_units, np.int32)
    factors = [max(u / scale * 2**fraction_bits, LEAST_MULTIPLIER) for u in units]
    if options.profile in FLOAT_PROFILES:
        return Rescaling(lefts, biases, np.array([float(m) for m in factors]), None)
    pairs = np.array([multiplier(m) for m in factors], np.int64).astype(np.int32)
    return Rescaling(lefts, biases, pairs[:, 0], pairs[:, 1])


@dataclass(frozen=True)
class FixedBorder:
    """Hold the parameters that turn T into a code: clip, then round up or down by the border.

    Spec: AQ-FIXED-9. T has `fraction_bits` fraction bits and is clipped to `low`..`high`;
    tau = floor(T * `multiplier` * 2^-`shift`). `coefficients` (C or 1, 3) int32 and `lift` (2^f,)
    int32 have 16 fraction bits. The dtype of the codes is the smallest for `least`..`largest`.
    """

    fraction_bits: int
    zero_point: int
    least: int
    largest: int
    low: int
    high: int
    multiplier: int
    shift: int
    coefficients: Integers
    lift: Integers


def fixed_border(
    low: int,
    high: int,
    zero_point: int,
    fraction_bits: int,
    *,
    coefficients: Reals | None = None,
    squash: str = "sigmoid",
    floor: bool = False,
    ceiling: Fraction | None = None,
) -> FixedBorder:
    """Derive the border of codes low..high in steps; without coefficients it rounds to nearest.

    Spec: AQ-FIXED-9. `coefficients` are (C or 1, 1 to 3) float64. `floor` clips T at 0, as a ReLU
    does; `ceiling` clips T at that many steps, as a ReLU6 does. Raise InputError if T or a
    coefficient is too large.
    """
    larger = max(-low, high)
    if larger << fraction_bits > INT32_MAX:
        raise InputError(f"{fraction_bits} fraction bits of {larger} steps leave int32")
    bottom, top = low << fraction_bits, high << fraction_bits
    if floor:
        bottom = max(bottom, 0)
    if ceiling is not None:  # half_up gives nearest rounding the codes of the ideal semantics
        top = min(top, int((2 * ceiling * 2**fraction_bits + 1) // 2))
    tau = multiplier(Fraction(1 << TAU_BITS, larger << fraction_bits))
    polynomial = np.zeros((1, 3)) if coefficients is None else coefficients
    return FixedBorder(
        fraction_bits,
        zero_point,
        low + zero_point,
        high + zero_point,
        bottom,
        top,
        *tau,
        _with_fraction_bits(np.pad(polynomial, ((0, 0), (0, 3 - polynomial.shape[1])))),
        lift(fraction_bits, squash),
    )


def _with_fraction_bits(coefficients: Reals) -> Integers:
    integers = np.rint(np.ldexp(coefficients, LIFT_BITS))
    largest = abs(integers).sum(axis=1).max()
    if not largest <= LIFT_LIMIT:
        raise InputError(f"its border's coefficients reach {largest / 2**LIFT_BITS:.0f} in sum")
    return np.asarray(integers.astype(np.int32))


def lift(fraction_bits: int, squash: str) -> Integers:
    """Return the largest P at which each fraction j/2^f goes up, (2^f,) int32, 16 fraction bits.

    Spec: AQ-FIXED-9. A fraction of 0 never goes up.

    >>> lift(2, "clip").tolist()
    [-1073741824, -16384, 0, 16384]
    """
    fraction = np.arange(1 << fraction_bits) / (1 << fraction_bits)
    needed = np.ldexp(inverse_squash(fraction, squash), LIFT_BITS)
    needed[0] = NEVER_LIFT
    return np.asarray(np.rint(needed).astype(np.int32))
