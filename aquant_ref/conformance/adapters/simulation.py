"""The float simulation's arithmetic as an implementation under test."""

from __future__ import annotations

import numpy as np

from aquant_ref.conformance.adapters.base import Capabilities
from aquant_ref.conformance.adapters.simulation_layers import SimulationLayers
from aquant_ref.quant.rounding import border_round, half_up, rule
from aquant_ref.typing import Array


class SimulationAdapter(SimulationLayers):
    """What a float64 simulation computes, and no integer operation.

    Sums and means agree with the contract as long as scales have 24 bits (AQ-SNAP-1): then no sum
    is rounded, and no quotient that is not a tie is so near to one that it becomes it.
    """

    name = "simulation"

    def capabilities(self) -> Capabilities:
        """Real numbers, rounded once."""
        return Capabilities(requantization=("ideal",))

    def round(self, *, rounding: str, t: Array) -> Array:
        """Spec: AQ-ROUND-1."""
        return rule(rounding)(t).astype(np.int64)

    def border_round(self, *, t: Array, border: Array) -> Array:
        """Spec: AQ-ROUND-2."""
        return border_round(t, border).astype(np.int64)

    def quantize(self, *, rounding: str, r: Array, scale: Array, **ends: Array) -> Array:
        """Spec: AQ-AFFINE-3."""
        with np.errstate(over="ignore", under="ignore"):
            return _code(rule(rounding)(r / scale), **ends)

    def dequantize(self, *, q: Array, scale: Array, zero_point: Array) -> Array:
        """Spec: AQ-AFFINE-3."""
        return (q - zero_point) * scale

    def add(
        self,
        *,
        a: Array,
        a_scale: Array,
        a_zero: Array,
        b: Array,
        b_scale: Array,
        b_zero: Array,
        scale: Array,
        **ends: Array,
    ) -> Array:
        """Spec: AQ-IDEAL-1."""
        real = (a - a_zero) * a_scale + (b - b_zero) * b_scale
        return _code(half_up(real / scale), **ends)

    def avg_pool(
        self,
        *,
        total: Array,
        count: Array,
        x_scale: Array,
        x_zero: Array,
        scale: Array,
        **ends: Array,
    ) -> Array:
        """Spec: AQ-IDEAL-1."""
        return _code(half_up((total - count * x_zero) * x_scale / (count * scale)), **ends)


def _code(steps: Array, *, zero_point: Array, qmin: Array, qmax: Array) -> Array:
    return np.clip(steps + zero_point, qmin, qmax).astype(np.int64)
