"""Check and derive the parameters of affine quantization: scale, zero point, bits and sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.checks import shown
from aquant_ref.errors import InputError
from aquant_ref.integer.saturate import check_inside, check_meet
from aquant_ref.quant.reals import check_float64
from aquant_ref.quant.rounding import half_even
from aquant_ref.typing import Codes, Reals

BITS = range(1, 17)
SCALE_FLOOR = 1e-8


def check_bits(name: str, bits: int) -> int:
    """Return `bits`; raise InputError, which names the argument, unless it is an integer in 1..16.

    Spec: AQ-AFFINE-1.
    """
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or bits not in BITS:
        raise InputError(f"{name}: needs 1 to 16 bits, got {shown(bits)}")
    return int(bits)


def code_range(bits: int, *, signed: bool) -> tuple[int, int]:
    """Return (qmin, qmax): 0 and 2^bits - 1, or if signed -2^(bits-1) and 2^(bits-1) - 1.

    Spec: AQ-AFFINE-1.
    """
    check_bits("bits", bits)
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


@dataclass(frozen=True)
class QParams:
    """Hold r = scale * (code - zero_point), per tensor (scalars) or per channel (arrays (C,)).

    Spec: AQ-AFFINE-1. `scale` is float64, above 0, and so small that every code stands for a finite
    number; `zero_point` is int64 in qmin..qmax; `axis` is the channel axis of the arrays to be
    quantized. Raise InputError for anything else.
    """

    scale: Reals
    zero_point: Codes
    bits: int
    signed: bool = False
    axis: int = 1

    def __post_init__(self) -> None:
        check_bits("bits", self.bits)
        if not isinstance(self.signed, bool | np.bool_):
            raise InputError(f"signed: needs True or False, got {self.signed!r}")
        if type(self.axis) is not int:
            raise InputError(f"axis: needs a whole number, got {self.axis!r}")
        zero_point = check_inside("zero point", self.zero_point, self.qmin, self.qmax)
        object.__setattr__(self, "scale", check_float64("scale", self.scale))
        object.__setattr__(self, "zero_point", zero_point)
        self._check()

    def _check(self) -> None:
        if not bool((np.isfinite(self.scale) & (self.scale > 0)).all()):
            raise InputError("scale: needs finite values above 0")
        with np.errstate(over="ignore"):
            if not bool(np.isfinite(self.scale * (self.qmax - self.qmin)).all()):
                raise InputError("scale: too large, a code would stand for infinity")
        shapes = {self.scale.shape, self.zero_point.shape} - {()}
        if len(shapes) > 1 or any(len(shape) != 1 or shape == (0,) for shape in shapes):
            raise InputError("scale and zero point: need a number or one for each channel")

    @property
    def qmin(self) -> int:
        """Return the smallest code."""
        return code_range(self.bits, signed=self.signed)[0]

    @property
    def qmax(self) -> int:
        """Return the largest code."""
        return code_range(self.bits, signed=self.signed)[1]

    def broadcast(self, shape: tuple[int, ...]) -> tuple[Reals, Codes]:
        """Return `scale` and `zero_point`, reshaped to broadcast with an array of `shape`.

        Raise InputError if they are per channel and `shape` has another number of channels.
        """
        if self.scale.ndim == self.zero_point.ndim == 0:
            return self.scale, self.zero_point
        channels = max(self.scale.size, self.zero_point.size)
        if not -len(shape) <= self.axis < len(shape) or shape[self.axis] != channels:
            raise InputError(
                f"quantizer: needs {channels} channels on axis {self.axis}, got shape {shape}"
            )
        per_channel = [1] * len(shape)
        per_channel[self.axis] = -1
        return self.scale.reshape(per_channel), self.zero_point.reshape(per_channel)


def from_range(
    low: ArrayLike, high: ArrayLike, bits: int, *, signed: bool = False, symmetric: bool = False
) -> QParams:
    """Return the parameters whose codes cover the range low..high, widened to include zero.

    Spec: AQ-AFFINE-2. Asymmetric: scale = (high - low)/(qmax - qmin) and
    zero_point = clip(qmin - half_even(low/scale), qmin, qmax). Symmetric: zero_point = 0, or
    2^(bits-1) for unsigned codes, and scale = max(|low|, |high|)/(qmax - zero_point). The scale is
    at least 1e-8, so that a channel of zeros is quantized to zero. Raise InputError for NaN,
    infinity, low > high, or a range wider than float64.

    >>> qparams = from_range(-1.0, 2.0, 2)
    >>> float(qparams.scale), int(qparams.zero_point)
    (1.0, 1)
    """
    least, largest = check_float64("low", low), check_float64("high", high)
    check_meet("range", least, largest)
    if not bool((np.isfinite(least) & np.isfinite(largest) & (least <= largest)).all()):
        raise InputError("range: needs finite low <= high")
    qmin, qmax = code_range(bits, signed=signed)
    least, largest = np.minimum(least, 0), np.maximum(largest, 0)
    with np.errstate(over="ignore"):
        width = largest - least
    if not bool(np.isfinite(width).all()):
        raise InputError("range: wider than the largest float64")
    if symmetric:
        middle = 0 if signed else (qmax + 1) // 2
        scale = np.maximum(np.maximum(-least, largest) / max(1, qmax - middle), SCALE_FLOOR)
        return QParams(scale, np.full(scale.shape, middle, np.int64), bits, signed)
    scale = np.maximum(width / (qmax - qmin), SCALE_FLOOR)
    zero_point = np.clip(qmin - half_even(least / scale), qmin, qmax).astype(np.int64)
    return QParams(scale, zero_point, bits, signed)
