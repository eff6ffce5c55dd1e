"""The integer engine: lower a quantized model to a program, certify it, run it."""

from __future__ import annotations

from aquant_ref.engine.lower import Lowering, lower
from aquant_ref.engine.program import Instruction, Program
from aquant_ref.engine.run import Engine

__all__ = ["Engine", "Instruction", "Lowering", "Program", "lower"]
