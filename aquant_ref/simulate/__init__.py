"""Simulate a quantized network in floating point."""

from __future__ import annotations

from aquant_ref.simulate.simulation import Simulation

__all__ = ["Simulation"]
