"""AdaRound: whether a weight goes down or up is learned (Nagel et al., 2020, equations 21 to 25).

A soft weight is scale * (clip(floor(w/scale) + h(v) + zero_point, 0, qmax) - zero_point), with the
rectified sigmoid h(v) = clip(1.2*sigmoid(v) - 0.1, 0, 1). It starts at the float weight; a
regulariser drives h to 0 or 1; at the end v >= 0 goes up.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import NDArray

from aquant_ref.nn.training.optim import cosine
from aquant_ref.ptq.observers import ZERO_BELOW, WeightScale
from aquant_ref.quant.rounding import half_up

Array = NDArray[Any]

STRETCH_LOW, STRETCH_HIGH = -0.1, 1.1
BETA_SCHEDULES = ("linear", "cosine")


def _per_channel(values: Array, weight: Array) -> Array:
    return values.reshape(-1, *(1,) * (weight.ndim - 1))


def rectified_sigmoid(v: Any) -> Any:
    """h(v) = clip(1.2*sigmoid(v) - 0.1, 0, 1); its derivative is 0 where it is clipped."""
    spread = (STRETCH_HIGH - STRETCH_LOW) / (1 + anp.exp(-v)) + STRETCH_LOW
    return anp.clip(spread, 0, 1)


def regularizer(v: Any, beta: float) -> Any:
    """Sum of 1 - |2*h(v) - 1|^beta: 0 once every h is 0 or 1."""
    return anp.sum(1 - anp.abs(2 * rectified_sigmoid(v) - 1) ** beta)


def regularizer_beta(
    step: int, steps: int, *, warmup: float = 0.2, schedule: str = "linear"
) -> float | None:
    """Beta falls from 20 to 2 after a warm-up without the regulariser (None).

    Linearly, as in the codes of BRECQ and QDrop, or along a half cosine (AIMET).
    """
    start = warmup * steps
    if step < start:
        return None
    if schedule == "cosine":
        return 2 + 18 * cosine(step - start, steps - start)
    return 2 + 18 * max(0.0, 1 - (step - start) / max(1e-12, steps - start))


class AdaRound:
    """The rounding of one weight (O, ...) with its scales: soft while it is learned, then codes.

    A channel that is zero, but for less than half of the least scale, stays zero (AQ-SNAP-6).
    """

    def __init__(self, weight: Array, scale: WeightScale) -> None:
        self.scale = scale
        self._step = _per_channel(scale.scale, weight)
        self._zero_point = _per_channel(scale.zero_point, weight)
        self._floor = np.floor(weight / self._step)
        fraction = weight / self._step - self._floor
        height = STRETCH_HIGH - STRETCH_LOW
        self.start: Array = (-np.log(height / (fraction - STRETCH_LOW) - 1)).astype(np.float32)
        self._dtype = weight.dtype
        rows = abs(weight).reshape(len(weight), -1)
        self._alive = _per_channel(rows.max(axis=1) >= ZERO_BELOW, weight)

    def soft(self, v: Any) -> Any:
        """The soft weight for the learned `v`, traced by autograd."""
        low = (-self._zero_point - self._floor).astype(self._dtype)
        high = (self.scale.qmax - self._zero_point - self._floor).astype(self._dtype)
        steps = anp.clip(rectified_sigmoid(v), low, high) + self._floor.astype(self._dtype)
        return steps * (self._alive * self._step).astype(self._dtype)

    def codes(self, v: Array) -> Array:
        """The hard decision as codes 0..qmax: up where v >= 0."""
        codes = self._alive * (self._floor + (v >= 0)) + self._zero_point
        return np.asarray(np.clip(codes, 0, self.scale.qmax).astype(np.uint16))


def nearest_codes(weight: Array, scale: WeightScale) -> Array:
    """Codes of the weights rounded to the nearest, half_up, 0..qmax."""
    steps = half_up(weight / _per_channel(scale.scale, weight))
    codes = steps + _per_channel(scale.zero_point, weight)
    return np.asarray(np.clip(codes, 0, scale.qmax).astype(np.uint16))


def dequantized(codes: Array, scale: WeightScale, dtype: Any) -> Array:
    """Scale * (code - zero_point) in `dtype`."""
    steps = codes.astype(np.float64) - _per_channel(scale.zero_point, codes)
    return np.asarray((steps * _per_channel(scale.scale, codes)).astype(dtype))
