"""The table of instructions: one row says what each carries, takes and makes.

PROGRAM.md is the same in words. `engine.interpreter` has a function of the same name, which is what
the instruction computes, and `engine.fast.kernels` one where there is a faster way.
"""

from __future__ import annotations

from aquant_ref.engine.operations import (
    convolution,
    elementwise,
    fixed_point,
    layout,
    pool,
    threshold,
)
from aquant_ref.engine.operations.convolution import CONVOLUTIONS
from aquant_ref.engine.operations.operation import Operation

OPERATIONS: dict[str, Operation] = {
    **convolution.OPERATIONS,
    **elementwise.OPERATIONS,
    **pool.OPERATIONS,
    **layout.OPERATIONS,
    **threshold.OPERATIONS,
    **fixed_point.OPERATIONS,
}
QUANTIZES = tuple(op for op, row in OPERATIONS.items() if row.stored is not None)
WINDOWED = tuple(op for op, row in OPERATIONS.items() if "stride" in row.attributes)
PRODUCTS = tuple(op for op, row in OPERATIONS.items() if "weight" in row.arrays)

__all__ = ["CONVOLUTIONS", "OPERATIONS", "PRODUCTS", "QUANTIZES", "WINDOWED", "Operation"]
