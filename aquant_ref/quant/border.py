"""Compute the border: the fraction from which an activation is rounded up.

The border is a function of the activation. With t = x/s, zero point z, the code range
low..high = -z..qmax - z in steps, and tau = clip(t, low, high)/max(-low, high),

    B(t) = squash(P),    P = b0 + b1*tau + b2*tau^2        (P = 0 is B = 1/2, nearest)

    sigmoid: max(1/(1 + exp(-4*P)), BORDER_MIN)            clip: clip(1/2 + P, BORDER_MIN, 1)

Spec: AQ-BORDER-1. Coefficients are float64 (C or 1, 1 to 3): one row for each channel of an NCHW
tensor, or one row for the tensor; one, two or three columns for a constant, linear or quadratic
border.

Where t - B(t) grows with t, the code in a unit cell [k, k + 1) changes from k to k + 1 at one
*crossing*. The crossings define the border exactly; every program uses them after learning
(AQ-BORDER-2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from aquant_ref.checks import word
from aquant_ref.errors import InputError
from aquant_ref.quant.qparams import check_bits
from aquant_ref.quant.rounding import border_round
from aquant_ref.typing import Array, Codes, Mask, Reals

BORDER_MIN = 1e-6  # B = 0 is excluded, because it would round zero up
SQUASHES = ("sigmoid", "clip")
SAMPLES = 1024  # points per cell at which a steep border is checked for a single crossing
ELEMENTS = 1 << 16  # per block of images, so that a block stays in cache


def _per_channel(values: Array, ndim: int) -> Array:
    return values.reshape(-1, *(1,) * (ndim - 2))


def _columns(coefficients: Reals) -> tuple[Reals, Reals, Reals]:
    """Return b0, b1 and b2, with 0 for absent columns; raise InputError for other shapes."""
    if coefficients.ndim != 2 or not 1 <= coefficients.shape[1] <= 3:
        raise InputError(f"border: needs coefficients (C, 1 to 3), got {coefficients.shape}")
    if not bool(np.isfinite(coefficients).all()):
        raise InputError("border: the coefficients hold NaN or infinity")
    constant, linear, quadratic = np.pad(coefficients, ((0, 0), (0, 3 - coefficients.shape[1]))).T
    return constant, linear, quadratic


def border(
    t: Reals, coefficients: Reals, qmax: int, *, zero_point: int = 0, squash: str = "sigmoid"
) -> Reals:
    """Return B(t), in [BORDER_MIN, 1], for t (N, C, ...) float64.

    Spec: AQ-BORDER-1, AQ-BORDER-5. Raise InputError for an unknown squash, and for coefficients
    that are not finite or not of shape (C or 1, 1 to 3).

    >>> border(np.array([[0.0], [3.0]]), np.array([[0.0, 0.25]]), 3, squash="clip").tolist()
    [[0.5], [0.75]]
    """
    word("squash", squash, SQUASHES)
    b0, b1, b2 = (_per_channel(column, t.ndim) for column in _columns(coefficients))
    p = b0 + (tau := relative(t, qmax, zero_point)) * (b1 + tau * b2)
    if squash == "clip":
        return np.asarray(np.clip(0.5 + p, BORDER_MIN, 1))
    with np.errstate(over="ignore"):  # exp(inf) gives B = 0, which BORDER_MIN lifts
        return np.asarray(np.maximum(1 / (1 + np.exp(-4 * p)), BORDER_MIN))


def inverse_squash(fraction: Reals, squash: str) -> Reals:
    """Return L, the P at which the border equals `fraction` in 0..1.

    Spec: AQ-WINDOW-3. The squash is monotone, so frac(t) >= B(t) means L(frac(t)) >= P(t). L is
    -infinity at 0 for `sigmoid`.
    """
    if squash == "clip":
        return np.asarray(fraction - 0.5)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(fraction / (1 - fraction)) / 4)


def relative(t: Reals, qmax: int, zero_point: int = 0) -> Reals:
    """Return tau: t clipped to the code range -z..qmax - z and divided by its larger end.

    Spec: AQ-BORDER-5. tau is in 0..1 for z = 0, in -1..1 otherwise.
    """
    return np.clip(t, -zero_point, qmax - zero_point) / max(zero_point, qmax - zero_point)


def bordered_codes(
    t: Reals, coefficients: Reals, bits: int, *, zero_point: int = 0, squash: str = "sigmoid"
) -> Codes:
    """Return clip(floor(t - B(t)) + 1 + z, 0, 2^bits - 1), uint16, straight from the definition.

    Spec: AQ-BORDER-1. `codes` gives the same result faster. Raise InputError for NaN, and as
    `border` does.
    """
    qmax = 2 ** check_bits("bits", bits) - 1
    _refuse_nan(t)
    # Both ends are integers, which no border moves.
    clipped = np.clip(t, -zero_point, qmax - zero_point)
    borders = border(clipped, coefficients, qmax, zero_point=zero_point, squash=squash)
    return np.asarray((border_round(clipped, borders) + zero_point).astype(np.uint16))


def _refuse_nan(t: Reals) -> None:
    if t.size and bool(np.isnan(t.min())):  # the minimum is NaN if any element is
        raise InputError("border: NaN has no code")


def nearest_crossings(bits: int, zero_point: int = 0) -> Reals:
    """Return k + 1/2 for every cell, (1, 2^bits - 1) float64: the border of half_up.

    Spec: AQ-BORDER-2.
    """
    return _cells(bits, zero_point)[None] + 0.5


def _cells(bits: int, zero_point: int) -> Reals:
    """Return the lower ends k = -z..qmax - z - 1 of the unit cells between codes, float64."""
    return np.arange(2 ** check_bits("bits", bits) - 1, dtype=np.float64) - zero_point


def crossings(
    coefficients: Reals, bits: int, *, zero_point: int = 0, squash: str = "sigmoid"
) -> Reals:
    """Return the smallest t in (k, k + 1] of each cell that rounds to k + 1, (C, 2^bits - 1).

    Spec: AQ-BORDER-2. The result is float64, found by bisection down to neighbouring float64
    numbers. Raise InputError, which names channel and cell, if the code goes up and down again in a
    cell, so that there is no single crossing.

    >>> crossings(np.array([[0.0, 0.0, 0.0], [0.25, 0.0, 0.0]]), 2, squash="clip").tolist()
    [[0.5, 1.5, 2.5], [0.75, 1.75, 2.75]]
    """
    cells = _cells(bits, zero_point)
    goes_up = _goes_up(bits, zero_point, squash)
    for channel, cell in _not_single(coefficients, cells, goes_up):
        raise InputError(
            f"border: in channel {channel} the code goes up and down again between "
            f"{cell:.0f} and {cell + 1:.0f}, so that there is no single crossing"
        )
    low = np.broadcast_to(cells, (len(coefficients), len(cells))).copy()  # k always rounds to k
    high = low + 1  # k + 1 always rounds to k + 1
    while True:
        middle = low + (high - low) / 2
        if not bool(((middle > low) & (middle < high)).any()):
            return high
        up = goes_up(middle, cells, coefficients)
        high = np.where(up, middle, high)
        low = np.where(up, low, middle)


def single_crossing(
    coefficients: Reals, bits: int, *, zero_point: int = 0, squash: str = "sigmoid"
) -> Mask:
    """Return whether the border of each channel has one crossing in every cell, (C,) bool.

    Spec: AQ-BORDER-2.

    >>> single_crossing(np.array([[0.0, 1.0], [-6.0, 12.0]]), 2, squash="clip").tolist()
    [True, False]
    """
    goes_up = _goes_up(bits, zero_point, squash)
    single = np.ones(len(coefficients), bool)
    single[[c for c, _ in _not_single(coefficients, _cells(bits, zero_point), goes_up)]] = False
    return single


def _goes_up(bits: int, zero_point: int, squash: str) -> Callable[..., Mask]:
    qmax = 2 ** check_bits("bits", bits) - 1

    def goes_up(t: Reals, cell: Reals, rows: Reals) -> Mask:
        """Tell whether t (C, n) is rounded up out of its cell [k, k + 1)."""
        borders = border(t[None], rows, qmax, zero_point=zero_point, squash=squash)[0]
        # `t - cell >= borders` is not exact between -1 and 0, where t - cell may need more bits.
        return np.asarray(border_round(t, borders) > cell)

    return goes_up


def _not_single(
    coefficients: Reals, cells: Reals, goes_up: Callable[..., Mask]
) -> Iterator[tuple[int, float]]:
    """Yield each channel whose code goes up and down again, with the first such cell."""
    # B grows by at most max(P')/larger per unit of t, because 4*B*(1 - B) <= 1; P' is linear in
    # tau, so its maximum is at an end. Below 1, t - B(t) grows and there is one crossing. Only
    # steeper borders are sampled.
    _, b1, b2 = _columns(coefficients)
    ends = np.array([cells[0], cells[-1] + 1])
    larger = abs(ends).max()
    steepest = (b1 + 2 * b2 * ends[:, None] / larger).max(axis=0)
    fractions = np.arange(SAMPLES) / SAMPLES
    for channel in np.flatnonzero(~(steepest < larger)).tolist():
        row = coefficients[channel : channel + 1]
        for cell in cells:
            up = goes_up(cell + fractions[None], cell, row)[0]
            if bool((up[:-1] & ~up[1:]).any()):
                yield channel, float(cell)
                break


def codes(t: Reals, crossing: Reals, zero_point: int = 0) -> Codes:
    """Return the codes of t (N, C, ...): how many crossings of its channel each element reaches.

    Spec: AQ-BORDER-2. `crossing` (C or 1, n) has one crossing in each cell (k, k + 1], from k = -z
    up; t is float32 or float64. The code is 0 below the first crossing and n from the last one up.
    The dtype is uint8, or uint16 for 256 codes and more. Raise InputError for NaN.

    >>> codes(np.array([[-9.0], [0.5], [0.75], [9.0]]), np.array([[0.75, 1.5]])).tolist()
    [[0], [0], [1], [2]]
    """
    _refuse_nan(t)
    count = crossing.shape[1]
    reached = _rounded_up(crossing, t.dtype).ravel()
    start = _per_channel(np.arange(len(crossing)) * count, t.ndim)  # of the channel in `reached`
    out = np.empty(t.shape, np.uint8 if count < 256 else np.uint16)
    block_size = max(1, ELEMENTS // max(1, t[:1].size))
    for first in range(0, len(t), block_size):
        images = slice(first, first + block_size)
        cell = np.floor(t[images])
        if zero_point:
            cell += zero_point
        cell = np.clip(cell, 0, count - 1).astype(np.int32)
        out[images] = cell + (t[images] >= reached[cell + start])
    return out


def _rounded_up(crossing: Reals, dtype: np.dtype[Any]) -> Reals:
    """Round crossings up to `dtype`, so that t >= c is exact for a t of that dtype."""
    near = crossing.astype(dtype)
    return np.where(near < crossing, np.nextafter(near, dtype.type(np.inf)), near)


def weight_error_slope(weight: Reals, quantized: Reals) -> Any:
    """Return 1 - rho, the slope in t of the best border of an activation with several weights.

    Spec: AQ-BORDER-3. rho = <w, w_hat>/<w_hat, w_hat> over the output channels (the last axis);
    B*(t) = 1/2 + t*(1 - rho) then minimizes the sum over o of (w_o*x - w_hat_o*x_hat)^2. The slope
    is 0 where w_hat = 0, because no rounding matters there.

    >>> float(weight_error_slope(np.array([1.0]), np.array([2.0])))  # (w_hat - w)/w_hat
    0.5
    """
    power = (quantized * quantized).sum(axis=-1)
    product = (weight * quantized).sum(axis=-1)
    return np.where(power == 0, 0.0, 1 - product / np.where(power == 0, 1, power))


def closed_form_coefficients(
    arriving: Reals,
    wanted: Reals,
    rho: float,
    qmax: int,
    *,
    zero_point: int = 0,
    degree: int = 2,
) -> Reals:
    """Fit b0, b1, b2 of B(t~) = 1/2 + t~ - rho*E[wanted | t~] by least squares, squash `clip`.

    Spec: AQ-BORDER-4. `arriving` and `wanted` are (n,) samples of t~ = x~/s and t = x/s of one
    channel; `degree` is 0, 1 or 2. Raise InputError if no sample lies inside -z..qmax - z.
    """
    in_range = (arriving > -zero_point) & (arriving < qmax - zero_point)
    if not bool(in_range.any()):
        raise InputError("closed form: no sample lies inside the code range")
    tau = relative(arriving[in_range], qmax, zero_point)
    residual = arriving[in_range] - rho * wanted[in_range]
    design = np.stack([tau**k for k in range(degree + 1)], axis=1)
    solution = np.linalg.lstsq(design, residual, rcond=None)[0]
    return np.concatenate([solution, np.zeros(2 - degree)])
