"""Lower a quantized model to an integer program: to thresholds, tables, or fixed point."""

from __future__ import annotations

from aquant_ref.lowering.fixed_point import FixedPointLowering
from aquant_ref.lowering.lowerings import lower
from aquant_ref.lowering.thresholds import Lowering

__all__ = ["FixedPointLowering", "Lowering", "lower"]
