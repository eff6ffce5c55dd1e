"""Post-training quantization: observe, reconstruct block by block, snap."""

from __future__ import annotations

from aquant_ref.ptq.form import Border
from aquant_ref.ptq.methods import METHODS, Config, nearest, observe, quantize

__all__ = ["METHODS", "Border", "Config", "nearest", "observe", "quantize"]
