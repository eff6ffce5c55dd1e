"""Convert between real numbers and codes: rounding, affine quantization, borders, multipliers."""

from __future__ import annotations

from aquant_ref.quant.affine import dequantize, fake_quantize, quantize
from aquant_ref.quant.multiplier import multiplier, requantize_real
from aquant_ref.quant.qparams import QParams, check_bits, code_range, from_range

__all__ = [
    "QParams",
    "check_bits",
    "code_range",
    "dequantize",
    "fake_quantize",
    "from_range",
    "multiplier",
    "quantize",
    "requantize_real",
]
