"""The border: at which fraction an activation is rounded up, as a function of the activation.

With t = x/s, qmax the largest code and tau = clip(t, 0, qmax)/qmax,

    B(t) = squash(P),    P = b0 + b1*tau + b2*tau^2        (P = 0 is B = 1/2, nearest)

    sigmoid: max(1/(1 + exp(-4*P)), BORDER_MIN)            clip: clip(1/2 + P, BORDER_MIN, 1)

Spec: AQ-BORDER-1. Coefficients are (C, 3) float64, one row a channel of an NCHW tensor, or (1, 3).

Where t - B(t) grows with t, the code inside a unit cell [k, k + 1) goes from k to k + 1 at one
*crossing*. The crossings say all that the border does, exactly, and are what every program uses
once learning is over (AQ-BORDER-2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.quant.qparams import check_bits

Array = NDArray[Any]

BORDER_MIN = 1e-6  # B = 0 is excluded: zero would no longer be rounded to zero
SQUASHES = ("sigmoid", "clip")
MONOTONE_SAMPLES = 64  # points of each cell at which t - B(t) is checked to grow
FEW = 15  # up to this many crossings are counted one by one, more are searched


def _per_channel(values: Array, ndim: int) -> Array:
    return values.reshape(-1, *(1,) * (ndim - 2))


def border(t: Array, coefficients: Array, qmax: int, *, squash: str = "sigmoid") -> Array:
    """B(t) for t (N, C, ...) float64: values in [BORDER_MIN, 1].

    Spec: AQ-BORDER-1. Raises InputError for an unknown squash or coefficients that are not finite.
    """
    if squash not in SQUASHES:
        raise InputError(f"squash: there is no {squash!r}; there are {', '.join(SQUASHES)}")
    if not bool(np.isfinite(coefficients).all()):
        raise InputError("border: its coefficients hold NaN or infinity")
    b0, b1, b2 = (_per_channel(coefficients[:, k], t.ndim) for k in range(3))
    tau = np.clip(t, 0, qmax) / qmax
    p = b0 + tau * (b1 + tau * b2)
    if squash == "clip":
        return np.asarray(np.clip(0.5 + p, BORDER_MIN, 1))
    with np.errstate(over="ignore"):  # exp(inf) gives B = 0, which BORDER_MIN lifts
        return np.asarray(np.maximum(1 / (1 + np.exp(-4 * p)), BORDER_MIN))


def bordered_codes(t: Array, coefficients: Array, bits: int, *, squash: str = "sigmoid") -> Array:
    """clip(floor(t - B(t)) + 1, 0, 2^bits - 1), by the definition; uint16.

    Spec: AQ-BORDER-1. The slow and obvious twin of `codes`.
    """
    qmax = 2 ** check_bits("bits", bits) - 1
    inside = np.clip(t, 0, qmax)  # beyond, the clip decides; inside, the fraction of t is exact
    low = np.floor(inside)
    up = inside - low >= border(inside, coefficients, qmax, squash=squash)
    return np.asarray(np.minimum(low + up, qmax).astype(np.uint16))


def nearest_crossings(bits: int) -> Array:
    """(1, 2^bits - 1) float64: k + 1/2 in every cell, the border of nearest rounding (half_up).

    Spec: AQ-BORDER-2.
    """
    return np.arange(2 ** check_bits("bits", bits) - 1, dtype=np.float64)[None] + 0.5


def crossings(coefficients: Array, bits: int, *, squash: str = "sigmoid") -> Array:
    """(C, 2^bits - 1) float64: in each cell the smallest t in (k, k + 1] whose code is k + 1.

    Spec: AQ-BORDER-2. Found by bisection down to neighbouring float64 numbers. Raises InputError,
    which names channel and cell, where t - B(t) does not grow, so that there is no one crossing.
    """
    qmax = 2 ** check_bits("bits", bits) - 1
    cells = np.arange(qmax, dtype=np.float64)
    _check_monotone(coefficients, qmax, squash)
    low = np.broadcast_to(cells, (len(coefficients), qmax)).copy()  # an integer never goes up
    high = low + 1  # and the next one always has its own code
    while True:
        middle = low + (high - low) / 2
        if not bool(((middle > low) & (middle < high)).any()):
            return high
        b = border(middle[None], coefficients, qmax, squash=squash)[0]
        up = middle - cells >= b
        high = np.where(up, middle, high)
        low = np.where(up, low, middle)


def _check_monotone(coefficients: Array, qmax: int, squash: str) -> None:
    # B grows by at most max(P')/qmax a unit of t (4*B*(1 - B) <= 1), and P' is linear in tau, so
    # its
    # ends decide; only borders that could be too steep are looked at closely.
    steepest = np.maximum(coefficients[:, 1], coefficients[:, 1] + 2 * coefficients[:, 2])
    steps = np.arange(MONOTONE_SAMPLES * qmax + 1) / MONOTONE_SAMPLES
    for channel in np.flatnonzero(~(steepest < qmax)):
        rows = coefficients[channel : channel + 1]
        falls = np.diff(steps - border(steps[None, None], rows, qmax, squash=squash)[0, 0]) <= 0
        if bool(falls.any()):
            cell = int(np.argmax(falls)) // MONOTONE_SAMPLES
            raise InputError(
                f"border: t - B(t) does not grow in channel {channel} between codes {cell} and "
                f"{cell + 1}, so that it has no single crossing"
            )


def codes(t: Array, crossing: Array) -> Array:
    """How many crossings of its channel each element of t (N, C, ...) reaches: its code.

    Spec: AQ-BORDER-2. `crossing` (C or 1, n), sorted; uint8, or uint16 from 256 codes on. Nothing
    is
    clipped: below the first crossing is 0, from the last one on n.
    """
    count = crossing.shape[1]
    out = np.zeros(t.shape, np.uint8 if count < 256 else np.uint16)
    if count <= FEW:
        for k in range(count):
            out += t >= _per_channel(crossing[:, k], t.ndim)
    elif len(crossing) == 1:
        out[...] = np.searchsorted(crossing[0], t, side="right")
    else:
        for channel, row in enumerate(crossing):
            out[:, channel] = np.searchsorted(row, t[:, channel], side="right")
    return out


def weight_error_slope(weight: Array, quantized: Array) -> Any:
    """1 - rho, the slope in t of the best border of one activation that meets several weights.

    Spec: AQ-BORDER-3. rho = <w, w_hat>/<w_hat, w_hat> over the output channels (the last axis);
    then
    B*(t) = 1/2 + t*(1 - rho) minimises sum over o of (w_o*x - w_hat_o*x_hat)^2. 0 where w_hat = 0:
    no rounding matters there.
    """
    power = (quantized * quantized).sum(axis=-1)
    product = (weight * quantized).sum(axis=-1)
    return np.where(power == 0, 0.0, 1 - product / np.where(power == 0, 1, power))


def closed_form_coefficients(
    arriving: Array, wanted: Array, rho: float, qmax: int, *, degree: int = 2
) -> Array:
    """b0, b1, b2 of B(t~) = 1/2 + t~ - rho*E[wanted | t~], by least squares; squash "clip".

    Spec: AQ-BORDER-4. `arriving` and `wanted` are (n,) samples of t~ = x~/s and t = x/s of one
    channel; `degree` 0, 1 or 2. Raises InputError without samples inside 0..qmax.
    """
    inside = (arriving > 0) & (arriving < qmax)
    if not bool(inside.any()):
        raise InputError("closed form: no sample lies inside the code range")
    tau = arriving[inside] / qmax
    residual = arriving[inside] - rho * wanted[inside]
    design = np.stack([tau**k for k in range(degree + 1)], axis=1)
    solution = np.linalg.lstsq(design, residual, rcond=None)[0]
    return np.concatenate([solution, np.zeros(2 - degree)])
