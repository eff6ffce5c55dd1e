"""Post-training quantization: observe, reconstruct block by block, snap."""

from __future__ import annotations

from aquant_ref.ptq.methods import PASSES, Config, nearest, observe, quantize

__all__ = ["PASSES", "Config", "nearest", "observe", "quantize"]
