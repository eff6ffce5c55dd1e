"""Put the float simulation's arithmetic under test."""

from __future__ import annotations

import numpy as np

from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.adapters.simulation_layers import SimulationLayers
from aquant_ref.quant.rounding import border_round, half_up, rule
from aquant_ref.typing import Array, Codes, Integers, Reals


class SimulationAdapter(SimulationLayers):
    """Compute as a float64 simulation does; integer operations are missing.

    Sums and means agree with the contract as long as scales have 24 bits (AQ-SNAP-1): then no sum
    is rounded, and no quotient rounds to a tie unless it is one.
    """

    name = "simulation"

    def capabilities(self) -> Capabilities:
        """Declare real numbers that are rounded once."""
        return Capabilities(requantization=("ideal",))

    def round(self, *, rounding: str, t: Reals) -> Array:
        """Spec: AQ-ROUND-1."""
        return rule(rounding)(t).astype(np.int64)

    def border_round(self, *, t: Reals, border: Reals) -> Array:
        """Spec: AQ-ROUND-2."""
        return border_round(t, border).astype(np.int64)

    def quantize(self, *, rounding: str, r: Reals, scale: Reals, **ends: Array) -> Array:
        """Spec: AQ-AFFINE-3."""
        with np.errstate(over="ignore", under="ignore"):
            return _code(rule(rounding)(r / scale), **ends)

    def dequantize(self, *, q: Codes, scale: Reals, zero_point: Integers) -> Array:
        """Spec: AQ-AFFINE-3."""
        return (q - zero_point) * scale

    def add(
        self,
        *,
        a: Codes,
        a_scale: Reals,
        a_zero: Integers,
        b: Codes,
        b_scale: Reals,
        b_zero: Integers,
        scale: Reals,
        **ends: Array,
    ) -> Array:
        """Spec: AQ-IDEAL-1."""
        real = (a - a_zero) * a_scale + (b - b_zero) * b_scale
        return _code(half_up(real / scale), **ends)

    def avg_pool(
        self,
        *,
        total: Codes,
        count: Integers,
        x_scale: Reals,
        x_zero: Integers,
        scale: Reals,
        **ends: Array,
    ) -> Array:
        """Spec: AQ-IDEAL-1."""
        return _code(half_up((total - count * x_zero) * x_scale / (count * scale)), **ends)

    def activation_range(
        self, *, activation: str, scale: Reals, zero_point: Integers, qmin: Codes, qmax: Codes
    ) -> tuple[Array, Array]:
        """Spec: AQ-ACT-1."""
        ends = {"zero_point": zero_point, "qmin": qmin, "qmax": qmax}
        low, high = (_code(half_up(real / scale), **ends) for real in (0.0, 6.0))
        return qmin if activation == "none" else low, high if activation == "relu6" else qmax


def _code(steps: Reals, *, zero_point: Integers, qmin: Integers, qmax: Integers) -> Array:
    return np.clip(steps + zero_point, qmin, qmax).astype(np.int64)
