"""Integer arithmetic alone: saturation, rounding shifts, fixed point, accumulators. No float."""

from __future__ import annotations

from aquant_ref.integer.accumulate import accumulate
from aquant_ref.integer.fixed_point import PROFILES, requantize
from aquant_ref.integer.saturate import saturate
from aquant_ref.integer.shift import shift_right

__all__ = ["PROFILES", "accumulate", "requantize", "saturate", "shift_right"]
