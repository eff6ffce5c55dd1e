"""Observers: from the values of a tensor to its scale, by a search for the least error.

Both searches minimise the mean of |x - x_hat|^2.4 over SHRINKS shrinks of the observed range; the
first minimum wins (the criterion of the official QDrop code, PEERS: scale search).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError

Array = NDArray[Any]

NORM = 2.4
SHRINKS = 100
OBSERVED = 1 << 18  # elements: whole images of a tensor are looked at until there are this many
SCALE_FLOOR = 1e-8  # the scale of a tensor that is zero everywhere


@dataclass(frozen=True)
class WeightScale:
    """Scale and zero point of each output channel: w_hat = scale * (code - zero_point).

    `scale` (O,) float64, `zero_point` (O,) int32 in 0..qmax, codes 0..qmax.
    """

    scale: Array
    zero_point: Array
    bits: int

    @property
    def qmax(self) -> int:
        """The largest code, 2^bits - 1."""
        return int(2**self.bits - 1)


def _finite(name: str, x: Array) -> None:
    if not np.isfinite(x).all():
        raise InputError(f"{name}: holds NaN or infinity")


def search_activation_scale(name: str, x: Array, bits: int) -> float:
    """The scale for unsigned codes 0..2^bits - 1 of a tensor (N, ...) that is nowhere negative.

    Raises InputError, which names the tensor, if it is empty, negative somewhere or not finite.
    """
    if x.size == 0:
        raise InputError(f"{name}: there are no values to observe")
    _finite(name, x)
    if x.min() < 0:
        raise InputError(f"{name}: is negative somewhere, which unsigned codes cannot hold")
    qmax = 2**bits - 1
    images = max(1, OBSERVED // max(1, x[0].size))
    values = x[:images].astype(np.float32).reshape(-1)
    top = float(x.max())
    if top == 0:
        return SCALE_FLOOR
    scales = [max(top * i / (SHRINKS * qmax), SCALE_FLOOR) for i in range(SHRINKS, 0, -1)]
    errors = [_activation_error(values, scale, qmax) for scale in scales]
    return scales[int(np.argmin(errors))]


def _activation_error(values: Array, scale: float, qmax: int) -> float:
    error = values / np.float32(scale)
    codes = np.floor(error + np.float32(0.5))
    np.clip(codes, 0, qmax, out=codes)
    error -= codes
    np.abs(error, out=error)
    return float(np.power(error, np.float32(NORM), out=error).mean(dtype=np.float64)) * scale**NORM


def search_weight_scale(name: str, weight: Array, bits: int, *, per_channel: bool) -> WeightScale:
    """Scale and zero point of a weight (O, ...), for each output channel or one for all.

    The range of each channel is forced to hold zero; for each shrink, the zero point that the range
    asks for and its two neighbours are tried. Raises InputError if a weight is not finite.
    """
    _finite(name, weight)
    rows = weight.astype(np.float64).reshape(len(weight) if per_channel else 1, -1)
    qmax = 2**bits - 1
    low = np.minimum(rows.min(axis=1), 0)
    high = np.maximum(rows.max(axis=1), 0)
    best = np.full(len(rows), np.inf)
    best_scale = np.full(len(rows), SCALE_FLOOR)
    best_zero_point = np.zeros(len(rows), np.int32)
    for i in range(SHRINKS, 0, -1):
        scale = np.maximum((high - low) * i / (SHRINKS * qmax), SCALE_FLOOR)
        middle = np.floor(-low * (i / SHRINKS) / scale + 0.5)
        for offset in (0, -1, 1):
            zero_point = np.clip(middle + offset, 0, qmax)
            error = _weight_error(rows, scale, zero_point, qmax)
            better = error < best
            best = np.where(better, error, best)
            best_scale = np.where(better, scale, best_scale)
            best_zero_point = np.where(better, zero_point, best_zero_point).astype(np.int32)
    channels = len(weight)
    return WeightScale(
        np.broadcast_to(best_scale, (channels,)).copy(),
        np.broadcast_to(best_zero_point, (channels,)).copy(),
        bits,
    )


def _weight_error(rows: Array, scale: Array, zero_point: Array, qmax: int) -> Array:
    lowest = -zero_point[:, None]
    codes = np.clip(np.floor(rows / scale[:, None] + 0.5), lowest, lowest + qmax)
    return np.asarray((np.abs(rows - codes * scale[:, None]) ** NORM).mean(axis=1))
