"""Instructions of one operation, and what the row of the table says of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from aquant_ref.engine import Instruction
from aquant_ref.engine.operations import OPERATIONS
from aquant_ref.engine.operations.operation import Operation

PLACES = {"stride": [1, 1], "padding": [[0, 0], [0, 0]], "dilation": [1, 1]}


def instruction(op: str, attributes: dict[str, Any] | None = None, **arrays: Any) -> Instruction:
    """The instruction `it`; arrays are int32, unless they have a dtype."""
    held = {
        key: value if isinstance(value, np.ndarray) else np.array(value, np.int32)
        for key, value in arrays.items()
    }
    inputs = tuple("ab"[: OPERATIONS[op].inputs or 2])
    return Instruction("it", op, inputs, attributes or {}, held)


def row(each: Instruction) -> Operation:
    return OPERATIONS[each.op]


def between(low: Any, high: Any) -> tuple[np.ndarray, np.ndarray]:
    return np.array(low, np.int64), np.array(high, np.int64)


def bounds(each: Instruction, *inputs: Any, shape: tuple[int, ...] = (1,)) -> tuple[Any, Any]:
    """The bounds that it makes of those of its inputs, as lists."""
    low, high = row(each).bounds(each, [between(*ends) for ends in inputs], shape)
    return low.tolist(), high.tolist()
