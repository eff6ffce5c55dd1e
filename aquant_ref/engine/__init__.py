"""The integer engine: lower a quantized model to a program, certify it, run it."""

from __future__ import annotations

from aquant_ref.engine.instructions import Instruction
from aquant_ref.engine.lower import Lowering
from aquant_ref.engine.lower_fixed import FixedPointLowering
from aquant_ref.engine.lowerings import lower
from aquant_ref.engine.program import Program
from aquant_ref.engine.run import Engine

__all__ = ["Engine", "FixedPointLowering", "Instruction", "Lowering", "Program", "lower"]
