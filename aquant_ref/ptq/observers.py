"""Observers: from the values of a tensor to its scale, by a search for the least error.

All searches minimise the mean of |x - x_hat|^2.4 over shrinks of the observed range; the first
minimum wins. The official codes differ in what they try (`SEARCHES`): QDrop 100 shrinks down to
nothing, for a range of both signs with every zero point, of which here the three around the one
that the range asks for; BRECQ 80 shrinks by 1 % each with that one zero point. BRECQ clips no
scale, so a channel of zeros gives it NaN; here, as in QDrop, no scale is below SCALE_FLOOR.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.quant.qparams import SCALE_FLOOR

Array = NDArray[Any]

NORM = 2.4
SHRINKS = 100  # in steps of 1 % of the range
SEARCHES: dict[str, tuple[int, tuple[int, ...]]] = {  # shrinks tried, zero points beside the middle
    "qdrop": (100, (0, -1, 1)),
    "brecq": (80, (0,)),
}
OBSERVED = 1 << 18  # elements: whole images of a tensor are looked at until there are this many
BINS = 1 << 13  # in which the values are counted to leave out scales that cannot be the best
IN_CACHE = 1 << 15  # elements of a temporary
ZERO_BELOW = SCALE_FLOOR / 2  # of what is smaller the least scale makes codes of zero
LARGEST = float(np.finfo(np.float32).max)


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


def check_single(name: str, x: Array) -> None:
    """Refuse, by name, numbers that are not finite or beyond float32; raises InputError."""
    if not np.isfinite(x).all():
        raise InputError(f"{name}: holds NaN or infinity")
    if x.dtype.itemsize > 4 and (most := float(abs(x).max(initial=0))) > LARGEST:
        raise InputError(f"{name}: reaches {most:.3g}, beyond float32")


class Observer:
    """Looks at the activations of the tensor `name`, batch by batch, and then finds their scale."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.low = self.high = 0.0
        self._values: list[Array] = []
        self._count = 0

    def look(self, x: Array) -> None:
        """Take in a batch (N, ...); raises InputError as `check_single` does."""
        check_single(self.name, x)
        if x.size == 0:
            return
        self.low = min(self.low, float(x.min()))
        self.high = max(self.high, float(x.max()))
        missing = max(1, OBSERVED // x[0].size) - self._count
        if missing > 0:
            taken = x[:missing].astype(np.float32)
            self._values.append(taken.reshape(-1))
            self._count += len(taken)

    @property
    def is_zero(self) -> bool:
        """Whether the least scale makes codes of zero of all that it has seen."""
        return max(-self.low, self.high) < ZERO_BELOW

    def search(self, bits: int, search: str = "qdrop") -> tuple[float, int]:
        """Scale and zero point for codes 0..2^bits - 1; the zero point of a ReLU's tensor is 0.

        A tensor of both signs is searched over zero points as well. Raises InputError if there was
        nothing to look at.

        Spec: AQ-AFFINE-4.
        """
        if not self._values:
            raise InputError(f"{self.name}: there are no values to observe")
        values = np.concatenate(self._values)
        qmax = 2**bits - 1
        candidates = [
            (scale, zero_point)
            for scale, zero_points in _candidates(self.low, self.high, qmax, search)
            for zero_point in zero_points
        ]
        least = _least_errors(values, candidates, qmax)
        best, found = (np.inf, 0), (SCALE_FLOOR, 0)
        for number in np.argsort(least, kind="stable").tolist():
            if least[number] > best[0]:
                break  # and so are those of all that follow
            scale, zero_point = candidates[number]
            error = _activation_error(values, scale, zero_point, qmax)
            if error < np.inf and (error, number) < best:
                best, found = (error, number), (scale, zero_point)
        return found


def _candidates(
    low: float, high: float, qmax: int, search: str
) -> Iterator[tuple[float, list[int]]]:
    """Scales from the whole range down, each with the zero points to try."""
    if low == high == 0:
        return
    tried, offsets = SEARCHES[search]
    for i in range(SHRINKS, SHRINKS - tried, -1):
        scale = max((high - low) * i / (SHRINKS * qmax), SCALE_FLOOR)
        if low == 0:
            yield scale, [0]
            continue
        middle = int(np.floor(-low * (i / SHRINKS) / scale + 0.5))
        yield scale, sorted({min(max(middle + k, 0), qmax) for k in offsets})


def search_activation_scale(name: str, x: Array, bits: int) -> tuple[float, int]:
    """Scale and zero point of a tensor (N, ...) at once; see `Observer`."""
    observer = Observer(name)
    observer.look(x)
    return observer.search(bits)


def _activation_error(values: Array, scale: float, zero_point: int, qmax: int) -> float:
    error = values / np.float32(scale)
    codes = np.floor(error + np.float32(0.5))
    np.clip(codes, -zero_point, qmax - zero_point, out=codes)
    error -= codes
    np.abs(error, out=error)
    return float(np.power(error, np.float32(NORM), out=error).mean(dtype=np.float64)) * scale**NORM


def _least_errors(values: Array, candidates: Sequence[tuple[float, int]], qmax: int) -> Array:
    """Of each candidate a number that its `_activation_error` is not below; 0, without any work,
    for few values, or one alone.

    The distance of x from the nearest code changes by no more than x does, so the values of a bin
    are, but for float32's rounding, at most half its width nearer to one than its centre is.
    """
    least = np.zeros(len(candidates))
    if len(values) < 4 * BINS or values.min() == values.max():
        return least
    counts, edges = np.histogram(values.astype(np.float64), BINS)  # float32 may have too few
    half = (edges[1] - edges[0]) / 2 + 4 * np.finfo(np.float32).eps * abs(edges).max()
    used = counts > 0
    centres, shares = ((edges[:-1] + edges[1:]) / 2)[used], counts[used] / len(values)
    for number, (scale, zero_point) in enumerate(candidates):
        steps = centres / scale
        codes = np.clip(np.floor(steps + 0.5), -zero_point, qmax - zero_point)
        near = np.maximum(abs(steps - codes) * scale - half, 0)
        lost = float(np.finfo(np.float32).tiny) * scale**NORM  # what float32 may call 0
        least[number] = max((1 - 1e-4) * (near**NORM @ shares) - lost, 0)
    return least


def search_weight_scale(
    name: str, weight: Array, bits: int, *, per_channel: bool, search: str = "qdrop"
) -> WeightScale:
    """Scale and zero point of a weight (O, ...), for each output channel or one for all.

    The range of each channel is forced to hold zero. Raises InputError if a weight is not finite.
    """
    check_single(name, weight)
    rows = weight.astype(np.float64).reshape(len(weight) if per_channel else 1, -1)
    qmax = 2**bits - 1
    low = np.minimum(rows.min(axis=1), 0)
    high = np.maximum(rows.max(axis=1), 0)
    tried, offsets = SEARCHES[search]
    shrinks = np.arange(SHRINKS, SHRINKS - tried, -1)[:, None]
    scales = np.maximum((high - low) * shrinks / (SHRINKS * qmax), SCALE_FLOOR)
    middle = np.floor(-low * (shrinks / SHRINKS) / scales + 0.5)
    zero_points = np.clip(middle[:, None] + np.array(offsets)[:, None], 0, qmax)
    zero_points = zero_points.reshape(-1, len(rows))
    scales = scales.repeat(len(offsets), axis=0)
    at_once = max(1, IN_CACHE // max(1, rows.size))  # candidates
    errors = np.concatenate(
        [
            _weight_error(rows, scales[k : k + at_once], zero_points[k : k + at_once], qmax)
            for k in range(0, len(scales), at_once)
        ]
    )
    found = errors.argmin(axis=0), np.arange(len(rows))
    best_scale = np.where(errors[found] < np.inf, scales[found], SCALE_FLOOR)
    best_zero_point = np.where(errors[found] < np.inf, zero_points[found], 0).astype(np.int32)
    channels = len(weight)
    return WeightScale(
        np.broadcast_to(best_scale, (channels,)).copy(),
        np.broadcast_to(best_zero_point, (channels,)).copy(),
        bits,
    )


def _weight_error(rows: Array, scale: Array, zero_point: Array, qmax: int) -> Array:
    """Of each candidate and channel, (n, O), for scales and zero points (n, O)."""
    lowest = -zero_point[..., None]
    codes = np.clip(np.floor(rows / scale[..., None] + 0.5), lowest, lowest + qmax)
    return np.asarray((np.abs(rows - codes * scale[..., None]) ** NORM).mean(axis=-1))
