"""The float simulation of a quantized network."""

from __future__ import annotations

from aquant_ref.simulate.simulation import Simulation

__all__ = ["Simulation"]
