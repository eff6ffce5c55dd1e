"""Learn whether each weight is rounded down or up (AdaRound: Nagel et al., 2020, eq. 21 to 25).

A soft weight is scale * (clip(floor(w/scale) + h(v) + zero_point, 0, qmax) - zero_point), with the
rectified sigmoid h(v) = clip(1.2*sigmoid(v) - 0.1, 0, 1). It starts at the float weight; a
regularizer drives h to 0 or 1; at the end, weights with v >= 0 are rounded up.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np

from aquant_ref.nn.training.optim import cosine
from aquant_ref.ptq.observers import ZERO_BELOW, WeightScale
from aquant_ref.quant.rounding import half_up
from aquant_ref.typing import Array, Codes, Reals

STRETCH_LOW, STRETCH_HIGH = -0.1, 1.1
BETA_SCHEDULES = ("linear", "cosine")


def _per_channel(values: Array, weight: Array) -> Array:
    return values.reshape(-1, *(1,) * (weight.ndim - 1))


def rectified_sigmoid(v: Any) -> Any:
    """Return h(v) = clip(1.2*sigmoid(v) - 0.1, 0, 1); the derivative is 0 where it is clipped."""
    spread = (STRETCH_HIGH - STRETCH_LOW) / (1 + anp.exp(-v)) + STRETCH_LOW
    return anp.clip(spread, 0, 1)


def regularizer(v: Any, beta: float) -> Any:
    """Return the sum of 1 - |2*h(v) - 1|^beta, which is 0 once every h is 0 or 1."""
    return anp.sum(1 - anp.abs(2 * rectified_sigmoid(v) - 1) ** beta)


def regularizer_beta(
    step: int, steps: int, *, warmup: float = 0.2, schedule: str = "linear"
) -> float | None:
    """Return beta, which falls from 20 to 2; None in the warm-up, which has no regularizer.

    The schedule is linear, as in the code of BRECQ and QDrop, or a half cosine, as in AIMET.
    """
    start = warmup * steps
    if step < start:
        return None
    if schedule == "cosine":
        return 2 + 18 * cosine(step - start, steps - start)
    return 2 + 18 * max(0.0, 1 - (step - start) / max(1e-12, steps - start))


class AdaRound:
    """Round one weight (O, ...) with its scales: soft while learning, then to codes.

    A channel whose weights all are below half of the smallest scale is zero (AQ-SNAP-6).
    """

    def __init__(self, weight: Reals, scale: WeightScale) -> None:
        self.scale = scale
        self._step = _per_channel(scale.scale, weight)
        self._zero_point = _per_channel(scale.zero_point, weight)
        self._floor = np.floor(weight / self._step)
        fraction = weight / self._step - self._floor
        height = STRETCH_HIGH - STRETCH_LOW
        self.start: Reals = (-np.log(height / (fraction - STRETCH_LOW) - 1)).astype(np.float32)
        self._dtype = weight.dtype
        rows = abs(weight).reshape(len(weight), -1)
        self._alive = _per_channel(rows.max(axis=1) >= ZERO_BELOW, weight)

    def soft(self, v: Any) -> Any:
        """Return the soft weight for the learned `v`, traced by autograd."""
        low = (-self._zero_point - self._floor).astype(self._dtype)
        high = (self.scale.qmax - self._zero_point - self._floor).astype(self._dtype)
        steps = anp.clip(rectified_sigmoid(v), low, high) + self._floor.astype(self._dtype)
        return steps * (self._alive * self._step).astype(self._dtype)

    def codes(self, v: Reals) -> Codes:
        """Return the final codes 0..qmax, uint16: rounded up where v >= 0."""
        codes = self._alive * (self._floor + (v >= 0)) + self._zero_point
        return np.asarray(np.clip(codes, 0, self.scale.qmax).astype(np.uint16))


def nearest_codes(weight: Reals, scale: WeightScale) -> Codes:
    """Round weights half_up to codes 0..qmax, uint16."""
    steps = half_up(weight / _per_channel(scale.scale, weight))
    codes = steps + _per_channel(scale.zero_point, weight)
    return np.asarray(np.clip(codes, 0, scale.qmax).astype(np.uint16))


def dequantized(codes: Codes, scale: WeightScale, dtype: Any) -> Reals:
    """Return scale * (code - zero_point) in `dtype`."""
    steps = codes.astype(np.float64) - _per_channel(scale.zero_point, codes)
    return np.asarray((steps * _per_channel(scale.scale, codes)).astype(dtype))
