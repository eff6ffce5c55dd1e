"""Post-training quantization: observe, reconstruct block by block, snap."""

from __future__ import annotations

from aquant_ref.ptq.form import Border
from aquant_ref.ptq.methods import METHODS, Config, nearest, observe, quantize
from aquant_ref.ptq.watch import Iteration

__all__ = ["METHODS", "Border", "Config", "Iteration", "nearest", "observe", "quantize"]
