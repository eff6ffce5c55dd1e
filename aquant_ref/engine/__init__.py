"""The integer engine: what a program is, and how it runs in integers only."""

from __future__ import annotations

from aquant_ref.engine.fast.run import Engine
from aquant_ref.engine.instruction import Instruction
from aquant_ref.engine.program import Program

__all__ = ["Engine", "Instruction", "Program"]
