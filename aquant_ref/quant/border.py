"""The border: at which fraction an activation is rounded up, as a function of the activation.

With t = x/s, the range low..high = -z..qmax - z of its codes in steps, z the zero point, and
tau = clip(t, low, high)/max(-low, high),

    B(t) = squash(P),    P = b0 + b1*tau + b2*tau^2        (P = 0 is B = 1/2, nearest)

    sigmoid: max(1/(1 + exp(-4*P)), BORDER_MIN)            clip: clip(1/2 + P, BORDER_MIN, 1)

Spec: AQ-BORDER-1. Coefficients are float64, one row a channel of an NCHW tensor, or one row for the
tensor; of one, two or three columns: a constant, linear or quadratic border.

Where t - B(t) grows with t, the code inside a unit cell [k, k + 1) goes from k to k + 1 at one
*crossing*. The crossings say all that the border does, exactly, and are what every program uses
once learning is over (AQ-BORDER-2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.quant.qparams import check_bits
from aquant_ref.quant.rounding import border_round

Array = NDArray[Any]

BORDER_MIN = 1e-6  # B = 0 is excluded: zero would no longer be rounded to zero
SQUASHES = ("sigmoid", "clip")
SAMPLES = 1024  # points of each cell at which a steep border is checked to have one crossing
ELEMENTS = 1 << 16  # coded at a time, so that they stay in cache


def _per_channel(values: Array, ndim: int) -> Array:
    return values.reshape(-1, *(1,) * (ndim - 2))


def _columns(coefficients: Array) -> tuple[Array, Array, Array]:
    """b0, b1, b2, those that are not given 0; raises InputError."""
    if coefficients.ndim != 2 or not 1 <= coefficients.shape[1] <= 3:
        raise InputError(f"border: needs coefficients (C, 1 to 3), got {coefficients.shape}")
    if not bool(np.isfinite(coefficients).all()):
        raise InputError("border: its coefficients hold NaN or infinity")
    constant, linear, quadratic = np.pad(coefficients, ((0, 0), (0, 3 - coefficients.shape[1]))).T
    return constant, linear, quadratic


def border(
    t: Array, coefficients: Array, qmax: int, *, zero_point: int = 0, squash: str = "sigmoid"
) -> Array:
    """B(t) for t (N, C, ...) float64: values in [BORDER_MIN, 1].

    Spec: AQ-BORDER-1, AQ-BORDER-5. Raises InputError for an unknown squash, or coefficients that
    are not finite or not of shape (C or 1, 1 to 3).

    >>> border(np.array([[0.0], [3.0]]), np.array([[0.0, 0.25]]), 3, squash="clip").tolist()
    [[0.5], [0.75]]
    """
    if squash not in SQUASHES:
        raise InputError(f"squash: there is no {squash!r}; there are {', '.join(SQUASHES)}")
    b0, b1, b2 = (_per_channel(column, t.ndim) for column in _columns(coefficients))
    p = b0 + (tau := relative(t, qmax, zero_point)) * (b1 + tau * b2)
    if squash == "clip":
        return np.asarray(np.clip(0.5 + p, BORDER_MIN, 1))
    with np.errstate(over="ignore"):  # exp(inf) gives B = 0, which BORDER_MIN lifts
        return np.asarray(np.maximum(1 / (1 + np.exp(-4 * p)), BORDER_MIN))


def inverse_squash(fraction: Array, squash: str) -> Array:
    """L, the P at which the border is `fraction` in 0..1: frac(t) >= B(t) is L(frac(t)) >= P(t).

    Spec: AQ-WINDOW-3. The squash is monotone and can be taken to the other side. -infinity at 0 for
    `sigmoid`.
    """
    if squash == "clip":
        return np.asarray(fraction - 0.5)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(fraction / (1 - fraction)) / 4)


def relative(t: Array, qmax: int, zero_point: int = 0) -> Array:
    """tau: t clipped to the range -z..qmax - z of the codes, divided by its larger end.

    Spec: AQ-BORDER-5. In 0..1 for z = 0, in -1..1 otherwise.
    """
    return np.clip(t, -zero_point, qmax - zero_point) / max(zero_point, qmax - zero_point)


def bordered_codes(
    t: Array, coefficients: Array, bits: int, *, zero_point: int = 0, squash: str = "sigmoid"
) -> Array:
    """clip(floor(t - B(t)) + 1 + z, 0, 2^bits - 1), by the definition; uint16.

    Spec: AQ-BORDER-1. The slow and obvious twin of `codes`. Raises InputError for NaN, and as
    `border` does.
    """
    qmax = 2 ** check_bits("bits", bits) - 1
    _refuse_nan(t)
    # both ends are integers, which no border moves
    inside = np.clip(t, -zero_point, qmax - zero_point)
    borders = border(inside, coefficients, qmax, zero_point=zero_point, squash=squash)
    return np.asarray((border_round(inside, borders) + zero_point).astype(np.uint16))


def _refuse_nan(t: Array) -> None:
    if t.size and bool(np.isnan(t.min())):  # min passes a NaN on
        raise InputError("border: NaN has no code")


def nearest_crossings(bits: int, zero_point: int = 0) -> Array:
    """(1, 2^bits - 1) float64: k + 1/2 in every cell, the border of nearest rounding (half_up).

    Spec: AQ-BORDER-2.
    """
    return _cells(bits, zero_point)[None] + 0.5


def _cells(bits: int, zero_point: int) -> Array:
    """The lower ends k of the unit cells between neighbouring codes, -z..qmax - z - 1, float64."""
    return np.arange(2 ** check_bits("bits", bits) - 1, dtype=np.float64) - zero_point


def crossings(
    coefficients: Array, bits: int, *, zero_point: int = 0, squash: str = "sigmoid"
) -> Array:
    """(C, 2^bits - 1) float64: in each cell the smallest t in (k, k + 1] that is rounded to k + 1.

    Spec: AQ-BORDER-2. Found by bisection down to neighbouring float64 numbers. Raises InputError,
    which names channel and cell, where the code goes up and down again, so that there is no one
    crossing.

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
    low = np.broadcast_to(cells, (len(coefficients), len(cells))).copy()  # integers never go up
    high = low + 1  # and the next one always has its own code
    while True:
        middle = low + (high - low) / 2
        if not bool(((middle > low) & (middle < high)).any()):
            return high
        up = goes_up(middle, cells, coefficients)
        high = np.where(up, middle, high)
        low = np.where(up, low, middle)


def single_crossing(
    coefficients: Array, bits: int, *, zero_point: int = 0, squash: str = "sigmoid"
) -> Array:
    """(C,) bool: whether the border of a channel has one crossing in every cell. Spec: AQ-BORDER-2.

    >>> single_crossing(np.array([[0.0, 1.0], [-6.0, 12.0]]), 2, squash="clip").tolist()
    [True, False]
    """
    goes_up = _goes_up(bits, zero_point, squash)
    found = np.ones(len(coefficients), bool)
    found[[c for c, _ in _not_single(coefficients, _cells(bits, zero_point), goes_up)]] = False
    return found


def _goes_up(bits: int, zero_point: int, squash: str) -> Callable[..., Array]:
    qmax = 2 ** check_bits("bits", bits) - 1

    def goes_up(t: Array, cell: Array, rows: Array) -> Array:
        """Whether t (C, n) is rounded up out of its cell [k, k + 1)."""
        borders = border(t[None], rows, qmax, zero_point=zero_point, squash=squash)[0]
        # exact, as t - cell >= borders is not between -1 and 0, where it may need more bits than t
        return np.asarray(border_round(t, borders) > cell)

    return goes_up


def _not_single(
    coefficients: Array, cells: Array, goes_up: Callable[..., Array]
) -> Iterator[tuple[int, float]]:
    """The channels whose code goes up and down again, each with the first cell where it does."""
    # B grows by at most max(P')/larger a unit of t, since 4*B*(1 - B) <= 1, and P' is linear in
    # tau, so its ends decide. Where that is below 1, t - B(t) grows and there is one crossing; the
    # few steeper borders are looked at closely.
    _, b1, b2 = _columns(coefficients)
    ends = np.array([cells[0], cells[-1] + 1])
    larger = abs(ends).max()
    steepest = (b1 + 2 * b2 * ends[:, None] / larger).max(axis=0)
    inside = np.arange(SAMPLES) / SAMPLES
    for channel in np.flatnonzero(~(steepest < larger)).tolist():
        row = coefficients[channel : channel + 1]
        for cell in cells:
            up = goes_up(cell + inside[None], cell, row)[0]
            if bool((up[:-1] & ~up[1:]).any()):
                yield channel, float(cell)
                break


def codes(t: Array, crossing: Array, zero_point: int = 0) -> Array:
    """How many crossings of its channel each element of t (N, C, ...) reaches: its code.

    Spec: AQ-BORDER-2. `crossing` (C or 1, n), one in each cell (k, k + 1] from k = -z on; t float32
    or float64; uint8, or uint16 from 256 codes on. Nothing is clipped: below the first crossing is
    0, from the last one on n. Raises InputError for NaN.

    >>> codes(np.array([[-9.0], [0.5], [0.75], [9.0]]), np.array([[0.75, 1.5]])).tolist()
    [[0], [0], [1], [2]]
    """
    _refuse_nan(t)
    count = crossing.shape[1]
    reached = _rounded_up(crossing, t.dtype).ravel()
    start = _per_channel(np.arange(len(crossing)) * count, t.ndim)  # of its channel in `reached`
    out = np.empty(t.shape, np.uint8 if count < 256 else np.uint16)
    images = max(1, ELEMENTS // max(1, t[:1].size))
    for first in range(0, len(t), images):
        part = slice(first, first + images)
        cell = np.floor(t[part])
        if zero_point:
            cell += zero_point
        cell = np.clip(cell, 0, count - 1).astype(np.int32)
        out[part] = cell + (t[part] >= reached[cell + start])
    return out


def _rounded_up(crossing: Array, dtype: np.dtype[Any]) -> Array:
    """The smallest numbers of `dtype` that reach the crossings: t >= c is then decided exactly."""
    near = crossing.astype(dtype)
    return np.where(near < crossing, np.nextafter(near, dtype.type(np.inf)), near)


def weight_error_slope(weight: Array, quantized: Array) -> Any:
    """1 - rho, the slope in t of the best border of one activation that meets several weights.

    Spec: AQ-BORDER-3. rho = <w, w_hat>/<w_hat, w_hat> over the output channels (the last axis);
    then B*(t) = 1/2 + t*(1 - rho) minimises sum over o of (w_o*x - w_hat_o*x_hat)^2. 0 where
    w_hat = 0: no rounding matters there.

    >>> float(weight_error_slope(np.array([1.0]), np.array([2.0])))  # (w_hat - w)/w_hat
    0.5
    """
    power = (quantized * quantized).sum(axis=-1)
    product = (weight * quantized).sum(axis=-1)
    return np.where(power == 0, 0.0, 1 - product / np.where(power == 0, 1, power))


def closed_form_coefficients(
    arriving: Array,
    wanted: Array,
    rho: float,
    qmax: int,
    *,
    zero_point: int = 0,
    degree: int = 2,
) -> Array:
    """b0, b1, b2 of B(t~) = 1/2 + t~ - rho*E[wanted | t~], by least squares; squash "clip".

    Spec: AQ-BORDER-4. `arriving` and `wanted` are (n,) samples of t~ = x~/s and t = x/s of one
    channel; `degree` 0, 1 or 2. Raises InputError without samples inside -z..qmax - z.
    """
    inside = (arriving > -zero_point) & (arriving < qmax - zero_point)
    if not bool(inside.any()):
        raise InputError("closed form: no sample lies inside the code range")
    tau = relative(arriving[inside], qmax, zero_point)
    residual = arriving[inside] - rho * wanted[inside]
    design = np.stack([tau**k for k in range(degree + 1)], axis=1)
    solution = np.linalg.lstsq(design, residual, rcond=None)[0]
    return np.concatenate([solution, np.zeros(2 - degree)])
