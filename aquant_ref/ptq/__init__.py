"""Quantize after training: observe, reconstruct block by block, snap."""

from __future__ import annotations

from aquant_ref.ptq.border_spec import BorderSpec
from aquant_ref.ptq.callbacks import Iteration
from aquant_ref.ptq.methods import METHODS, Config
from aquant_ref.ptq.pipeline import nearest, observe, quantize, quantize_with

__all__ = [
    "METHODS",
    "BorderSpec",
    "Config",
    "Iteration",
    "nearest",
    "observe",
    "quantize",
    "quantize_with",
]
