"""Quantize real numbers to codes, and convert codes back to real numbers.

    q = clip(round(r/s) + z, qmin, qmax),      r_hat = s*(q - z)

Spec: AQ-AFFINE-3: divide (never multiply by a reciprocal), round, add the zero point, clip last.
The quotient is computed in float64, whatever the dtype of r.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aquant_ref.errors import InputError
from aquant_ref.integer.saturate import check_integers
from aquant_ref.quant.qparams import QParams  # noqa: TC001 (the doctests use it)
from aquant_ref.quant.reals import check_float64
from aquant_ref.quant.rounding import rule
from aquant_ref.typing import Codes, Reals


def quantize(r: ArrayLike, qparams: QParams, *, rounding: str = "half_up") -> Codes:
    """Return the codes (int32) of real numbers of any shape.

    Spec: AQ-AFFINE-3. Infinity saturates. Raise InputError for NaN, an unknown rounding, or a
    number of channels other than that of `qparams`.

    >>> quantize([0.5, -0.5, 9.0], QParams(1.0, 3, 3)).tolist()
    [4, 3, 7]
    """
    values = check_float64("quantize", r)
    if bool(np.isnan(values).any()):
        raise InputError("quantize: NaN has no code")
    scale, zero_point = qparams.broadcast(values.shape)
    # A quotient too large for float64 is infinity, which saturates; one too small is zero.
    with np.errstate(over="ignore", under="ignore"):
        steps = rule(rounding)(values / scale)
    # Clip real numbers, which cannot wrap: a code beyond int32 must not become negative.
    return np.asarray(np.clip(steps + zero_point, qparams.qmin, qparams.qmax).astype(np.int32))


def dequantize(q: ArrayLike, qparams: QParams) -> Reals:
    """Return the real numbers s*(q - z), float64, that integer codes stand for.

    Spec: AQ-AFFINE-3. One product, rounded once. Raise InputError for codes that are not integers
    or lie outside qmin..qmax.

    >>> dequantize([0, 3, 7], QParams(0.5, 3, 3)).tolist()
    [-1.5, 0.0, 2.0]
    """
    codes = check_integers("dequantize", q)
    if codes.size and (codes.min() < qparams.qmin or codes.max() > qparams.qmax):
        raise InputError(f"dequantize: needs codes in {qparams.qmin}..{qparams.qmax}")
    scale, zero_point = qparams.broadcast(codes.shape)
    return np.asarray((codes - zero_point) * scale)


def fake_quantize(r: ArrayLike, qparams: QParams, *, rounding: str = "half_up") -> Reals:
    """Return dequantize(quantize(r)), float64: the real numbers that the codes of r stand for.

    Spec: AQ-AFFINE-3.
    """
    return dequantize(quantize(r, qparams, rounding=rounding), qparams)
