"""Compute in integers alone: saturation, rounding shifts, requantization and accumulators."""

from __future__ import annotations

from aquant_ref.integer.accumulate import accumulate, accumulate_conv2d
from aquant_ref.integer.requantize import PROFILES, requantize, scale_accumulator
from aquant_ref.integer.saturate import saturate
from aquant_ref.integer.shift import shift_right

__all__ = [
    "PROFILES",
    "accumulate",
    "accumulate_conv2d",
    "requantize",
    "saturate",
    "scale_accumulator",
    "shift_right",
]
