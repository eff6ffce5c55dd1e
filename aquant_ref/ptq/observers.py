"""Search for the scale and zero point of a tensor that minimize its quantization error.

All searches minimize the mean of |x - x_hat|^2.4 over shrinks of the observed range; the first
minimum wins. The official code of the methods differs in the candidates (`SEARCHES`). QDrop tries
100 shrinks down to nothing; for a range of both signs it tries all zero points, where this module
tries the one that fits the range and both its neighbours. BRECQ tries 80 shrinks of 1 % each, with
the one zero point that fits. BRECQ has no smallest scale, so a channel of zeros gives NaN; here, as
in QDrop, no scale is below SCALE_FLOOR.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.quant.qparams import SCALE_FLOOR
from aquant_ref.typing import Codes, Reals

NORM = 2.4
SHRINKS = 100  # in steps of 1 % of the range
SEARCHES: dict[str, tuple[int, tuple[int, ...]]] = {  # shrinks, offsets from the zero point
    "qdrop": (100, (0, -1, 1)),
    "brecq": (80, (0,)),
    "qdrop-all": (100, (0, -1, 1)),
}
OBSERVED = 1 << 18  # elements of a tensor, after which an observer keeps no further image
EVERY_IMAGE = ("qdrop-all",)  # the searches without that limit
BINS = 1 << 13  # of the histogram that excludes scales which cannot be the best
IN_CACHE = 1 << 15  # elements of a temporary
ZERO_BELOW = SCALE_FLOOR / 2  # the smallest scale turns smaller values into codes of zero
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class WeightScale:
    """Hold scale and zero point of each output channel: w_hat = scale * (code - zero_point).

    `scale` is (O,) float64, `zero_point` (O,) int32 in 0..qmax; codes are 0..qmax.
    """

    scale: Reals
    zero_point: Codes
    bits: int

    @property
    def qmax(self) -> int:
        """Return the largest code, 2^bits - 1."""
        return int(2**self.bits - 1)


def check_single(name: str, x: Reals) -> None:
    """Raise InputError, which names the tensor, unless x is finite and fits float32."""
    if not np.isfinite(x).all():
        raise InputError(f"{name}: holds NaN or infinity")
    if x.dtype.itemsize > 4 and (most := float(abs(x).max(initial=0))) > LARGEST:
        raise InputError(f"{name}: reaches {most:.3g}, beyond float32")


class Observer:
    """Observe the activations of tensor `name` batch by batch, then search their scale.

    It searches in the first images that have `most` elements in all.
    """

    def __init__(self, name: str, most: int = OBSERVED) -> None:
        self.name, self.most = name, most
        self.low = self.high = 0.0
        self._values: list[Reals] = []
        self._count = 0

    def look(self, x: Reals) -> None:
        """Observe a batch (N, ...); raise InputError as `check_single` does."""
        check_single(self.name, x)
        if x.size == 0:
            return
        self.low = min(self.low, float(x.min()))
        self.high = max(self.high, float(x.max()))
        missing = max(1, self.most // x[0].size) - self._count
        if missing > 0:
            images = x[:missing].astype(np.float32)
            self._values.append(images.reshape(-1))
            self._count += len(images)

    @property
    def is_zero(self) -> bool:
        """Tell whether all observed values have code zero at the smallest scale."""
        return max(-self.low, self.high) < ZERO_BELOW

    def search(self, bits: int, search: str = "qdrop") -> tuple[float, int]:
        """Return scale and zero point for codes 0..2^bits - 1.

        Spec: AQ-AFFINE-4. Without negative values the zero point is 0, otherwise it is searched,
        too. Raise InputError if no value was observed.
        """
        if not self._values:
            raise InputError(f"{self.name}: no values were observed")
        values = np.concatenate(self._values)
        qmax = 2**bits - 1
        candidates = [
            (scale, zero_point)
            for scale, zero_points in _candidates(self.low, self.high, qmax, search)
            for zero_point in zero_points
        ]
        least = _least_errors(values, candidates, qmax)
        best_error, best = (np.inf, 0), (SCALE_FLOOR, 0)
        for number in np.argsort(least, kind="stable").tolist():
            if least[number] > best_error[0]:
                break  # all that follow have larger errors, too
            scale, zero_point = candidates[number]
            error = _activation_error(values, scale, zero_point, qmax)
            if error < np.inf and (error, number) < best_error:
                best_error, best = (error, number), (scale, zero_point)
        return best


def _candidates(
    low: float, high: float, qmax: int, search: str
) -> Iterator[tuple[float, list[int]]]:
    """Yield scales from the whole range down, each with the zero points to try."""
    if low == high == 0:
        return
    shrinks, offsets = SEARCHES[search]
    for i in range(SHRINKS, SHRINKS - shrinks, -1):
        scale = max((high - low) * i / (SHRINKS * qmax), SCALE_FLOOR)
        if low == 0:
            yield scale, [0]
            continue
        middle = int(np.floor(-low * (i / SHRINKS) / scale + 0.5))
        yield scale, sorted({min(max(middle + k, 0), qmax) for k in offsets})


def _activation_error(values: Reals, scale: float, zero_point: int, qmax: int) -> float:
    error = values / np.float32(scale)
    codes = np.floor(error + np.float32(0.5))
    np.clip(codes, -zero_point, qmax - zero_point, out=codes)
    error -= codes
    np.abs(error, out=error)
    return float(np.power(error, np.float32(NORM), out=error).mean(dtype=np.float64)) * scale**NORM


def _least_errors(values: Reals, candidates: Sequence[tuple[float, int]], qmax: int) -> Reals:
    """Return a lower bound of the `_activation_error` of each candidate; 0 for few values.

    The distance of x from the nearest code changes by no more than x does. So, apart from float32
    rounding, the values of a bin are at most half its width nearer to a code than its centre is.
    """
    least = np.zeros(len(candidates))
    if len(values) < 4 * BINS or values.min() == values.max():
        return least
    counts, edges = np.histogram(values.astype(np.float64), BINS)  # float32 edges may coincide
    half = (edges[1] - edges[0]) / 2 + 4 * np.finfo(np.float32).eps * abs(edges).max()
    used = counts > 0
    centres, shares = ((edges[:-1] + edges[1:]) / 2)[used], counts[used] / len(values)
    for number, (scale, zero_point) in enumerate(candidates):
        steps = centres / scale
        codes = np.clip(np.floor(steps + 0.5), -zero_point, qmax - zero_point)
        near = np.maximum(abs(steps - codes) * scale - half, 0)
        underflow = float(np.finfo(np.float32).tiny) * scale**NORM  # float32 may round this to 0
        least[number] = max((1 - 1e-4) * (near**NORM @ shares) - underflow, 0)
    return least


def search_weight_scale(
    name: str, weight: Reals, bits: int, *, per_channel: bool, search: str = "qdrop"
) -> WeightScale:
    """Return scale and zero point of a weight (O, ...), per output channel or one for all.

    Each range is widened to include zero. Raise InputError for weights that are not finite or do
    not fit float32.
    """
    check_single(name, weight)
    rows = weight.astype(np.float64).reshape(len(weight) if per_channel else 1, -1)
    qmax = 2**bits - 1
    low = np.minimum(rows.min(axis=1), 0)
    high = np.maximum(rows.max(axis=1), 0)
    count, offsets = SEARCHES[search]
    shrinks = np.arange(SHRINKS, SHRINKS - count, -1)[:, None]
    scales = np.maximum((high - low) * shrinks / (SHRINKS * qmax), SCALE_FLOOR)
    middle = np.floor(-low * (shrinks / SHRINKS) / scales + 0.5)
    zero_points = np.clip(middle[:, None] + np.array(offsets)[:, None], 0, qmax)
    zero_points = zero_points.reshape(-1, len(rows))
    scales = scales.repeat(len(offsets), axis=0)
    chunk = max(1, IN_CACHE // max(1, rows.size))  # candidates
    errors = np.concatenate(
        [
            _weight_error(rows, scales[k : k + chunk], zero_points[k : k + chunk], qmax)
            for k in range(0, len(scales), chunk)
        ]
    )
    best = errors.argmin(axis=0), np.arange(len(rows))
    best_scale = np.where(errors[best] < np.inf, scales[best], SCALE_FLOOR)
    best_zero_point = np.where(errors[best] < np.inf, zero_points[best], 0).astype(np.int32)
    channels = len(weight)
    return WeightScale(
        np.broadcast_to(best_scale, (channels,)).copy(),
        np.broadcast_to(best_zero_point, (channels,)).copy(),
        bits,
    )


def _weight_error(rows: Reals, scale: Reals, zero_point: Reals, qmax: int) -> Reals:
    """Return the error of each candidate and channel, (n, O), for scales and zero points (n, O)."""
    lowest = -zero_point[..., None]
    codes = np.clip(np.floor(rows / scale[..., None] + 0.5), lowest, lowest + qmax)
    return np.asarray((np.abs(rows - codes * scale[..., None]) ** NORM).mean(axis=-1))
