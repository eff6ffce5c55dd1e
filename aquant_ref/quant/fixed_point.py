"""Fixed point: the integers that take the place of a real multiplier, a bias and a border.

Between an accumulator and its code lies T, a number of steps of the quantizer with f bits of its
fraction, for hardware that multiplies and shifts but has no thresholds:

    T = round((acc * 2^left + bias) * M),  M = unit * 2^(f - left) / scale      a `Rescaling`
    code = floor(T / 2^f) + up + z                                              a `FixedBorder`

The rounding is that of a requantization profile. An accumulator of few bits is coarse: with 2-bit
weights and activations its unit may be a whole step of what follows, or many. `left` gives the bias
the fraction bits that it needs, and is 0 where the unit is fine enough, as in most 8-bit networks.
`up` compares the fraction of T with the border's polynomial, evaluated in integers (AQ-FIXED-8,
AQ-FIXED-9). Here these numbers are derived, once, by exact rationals; what is done with them is
written down three times, by the oracle, the simulation and the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.checks import integer, settle, word
from aquant_ref.errors import InputError
from aquant_ref.integer import PROFILES as INTEGER_PROFILES
from aquant_ref.integer.saturate import INT32_MAX
from aquant_ref.quant.border import inverse_squash
from aquant_ref.quant.multiplier import multiplier
from aquant_ref.quant.window import LIFT_BITS, LIFT_LIMIT, NEVER_LIFT

Array = NDArray[Any]

# `float64_onnx` is none of them: it adds the zero point before it rounds, and so rounds no number
# of steps that an add could go on with.
FLOAT_PROFILES = ("float32", "float64")
PROFILES = (*INTEGER_PROFILES, *FLOAT_PROFILES)
MAX_FRACTION_BITS = 16
MAX_LEFT = 31
LEAST_MULTIPLIER = Fraction(1, 2**32)  # of what is smaller no int32 reaches half a step either
TAU_BITS = 15  # fraction bits of tau, so that a product with a 16-bit coefficient fits 32 bits


@dataclass(frozen=True)
class FixedPoint:
    """How a network is lowered to fixed point: bits of the fraction of T, and how T is rounded.

    Spec: AQ-LOWER-10. Raises InputError for a number of bits outside 0..16 or an unknown profile.
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
    """T = round((acc * 2^left + bias) * M), channel by channel.

    Spec: AQ-FIXED-8. `left` and `bias` (C,) int32; M is `multiplier` (C,) int32 times 2^-`shift`
    (C,) int32, or, where the profile rounds in floating point, `multiplier` itself, float64,
    without a shift.
    """

    left: Array
    bias: Array
    multiplier: Array
    shift: Array | None


def rescaling(
    unit: Sequence[Fraction],
    bias: Sequence[Fraction],
    scale: Fraction,
    fraction_bits: int,
    options: FixedPoint,
) -> Rescaling:
    """From accumulators that mean unit*acc + bias, a channel each, to T with `fraction_bits` bits.

    Spec: AQ-FIXED-8. `scale` is the step; biases are kept to the fraction bits of `options`. Raises
    InputError where a bias leaves int32, or a unit is too large or too small beside the step.
    """
    left = [int(u / scale * 2**options.fraction_bits).bit_length() for u in unit]
    units = [u / 2**k for u, k in zip(unit, left, strict=True)]
    counted = [round(b / u) for u, b in zip(units, bias, strict=True)]  # half_even, exact
    largest = max(map(abs, counted))
    if max(left) > MAX_LEFT:
        raise InputError(f"its unit is 2^{max(left)} of the steps that it is rescaled to")
    if largest > INT32_MAX:
        raise InputError(f"its bias is {largest} units, beyond int32")
    lefts, biases = np.array(left, np.int32), np.array(counted, np.int32)
    factors = [max(u / scale * 2**fraction_bits, LEAST_MULTIPLIER) for u in units]
    if options.profile in FLOAT_PROFILES:
        return Rescaling(lefts, biases, np.array([float(m) for m in factors]), None)
    pairs = np.array([multiplier(m) for m in factors], np.int64).astype(np.int32)
    return Rescaling(lefts, biases, pairs[:, 0], pairs[:, 1])


@dataclass(frozen=True)
class FixedBorder:
    """The code of T: clip, then up or down by the border, in integers.

    Spec: AQ-FIXED-9. T, with `fraction_bits` bits of a fraction, is clipped to `low`..`high`; tau =
    floor(T * `multiplier` * 2^-`shift`); `coefficients` (C or 1, 3) int32 and `lift` (2^f,) int32
    have 16 fraction bits. The type of the codes is that of `least`..`largest`.
    """

    fraction_bits: int
    zero_point: int
    least: int
    largest: int
    low: int
    high: int
    multiplier: int
    shift: int
    coefficients: Array
    lift: Array


def fixed_border(
    low: int,
    high: int,
    zero_point: int,
    fraction_bits: int,
    *,
    coefficients: Array | None = None,
    squash: str = "sigmoid",
    floor: bool = False,
    ceiling: Fraction | None = None,
) -> FixedBorder:
    """The border of codes that are low..high in steps, with its polynomial's coefficients or none.

    Spec: AQ-FIXED-9. `coefficients` (C or 1, 1 to 3) float64. `floor`: a ReLU keeps T from falling
    below 0; `ceiling`: a ReLU6 keeps it from rising above so many steps. Raises InputError where T
    or a coefficient is too large.
    """
    larger = max(-low, high)
    if larger << fraction_bits > INT32_MAX:
        raise InputError(f"{fraction_bits} fraction bits of {larger} steps leave int32")
    bottom, top = low << fraction_bits, high << fraction_bits
    if floor:
        bottom = max(bottom, 0)
    if ceiling is not None:  # half_up, so that nearest codes are those of the ideal semantics
        top = min(top, int((2 * ceiling * 2**fraction_bits + 1) // 2))
    tau = multiplier(Fraction(1 << TAU_BITS, larger << fraction_bits))
    given = np.zeros((1, 3)) if coefficients is None else coefficients
    return FixedBorder(
        fraction_bits,
        zero_point,
        low + zero_point,
        high + zero_point,
        bottom,
        top,
        *tau,
        _counted(np.pad(given, ((0, 0), (0, 3 - given.shape[1])))),
        lift(fraction_bits, squash),
    )


def _counted(coefficients: Array) -> Array:
    counted = np.rint(np.ldexp(coefficients, LIFT_BITS))
    largest = abs(counted).sum(axis=1).max()
    if not largest <= LIFT_LIMIT:
        raise InputError(f"its border's coefficients reach {largest / 2**LIFT_BITS:.0f} in sum")
    return np.asarray(counted.astype(np.int32))


def lift(fraction_bits: int, squash: str) -> Array:
    """(2^f,) int32: the P up to which each fraction goes up, with 16 fraction bits.

    Spec: AQ-FIXED-9. A fraction of 0 never goes up.

    >>> lift(2, "clip").tolist()
    [-1073741824, -16384, 0, 16384]
    """
    fraction = np.arange(1 << fraction_bits) / (1 << fraction_bits)
    needed = np.ldexp(inverse_squash(fraction, squash), LIFT_BITS)
    needed[0] = NEVER_LIFT
    return np.asarray(np.rint(needed).astype(np.int32))
