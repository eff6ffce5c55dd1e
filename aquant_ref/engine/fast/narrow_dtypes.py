"""Store each array in the smallest integer type that the program's bounds allow.

That is half the memory, and twice as fast. The rows of a kernel lie in memory one after the other,
as `product_by_rows` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.engine.bounds import LIMITS, magnitude
from aquant_ref.engine.fast.product import by_rows

if TYPE_CHECKING:
    from aquant_ref.engine.instruction import Bounds, Instruction


def narrowed(instructions: Sequence[Instruction], known: Mapping[str, Bounds]) -> list[Instruction]:
    """Narrow the arrays; every accumulator that the program can reach keeps its code.

    Thresholds beyond all accumulators of their channel are moved to the nearest place that is still
    beyond them. `known` are the program's bounds.
    """
    made = []
    for each in instructions:
        if each.op == "threshold":
            each = _threshold(each, known[each.inputs[0]])
        elif each.op == "add":
            each = _add(each, [known[name] for name in each.inputs], known[each.name])
        elif each.op == "conv2d" and by_rows(each.arrays["weight"], each.attributes):
            rows = each.arrays["weight"].transpose(2, 0, 1, 3).copy()
            each = replace(each, arrays={**each.arrays, "weight": rows.transpose(1, 2, 0, 3)})
        made.append(each)
    return made


def _threshold(each: Instruction, bound: Bounds) -> Instruction:
    low, high = (ends[:, None] for ends in bound)
    thresholds = np.clip(each.arrays["thresholds"], low, high + 1)
    small = np.int32 if magnitude(bound) < LIMITS["int32"] else np.int64
    return replace(each, arrays={"thresholds": thresholds.astype(small)})


def _add(each: Instruction, terms: list[Bounds], total: Bounds) -> Instruction:
    factors = [each.arrays[key].astype(object) for key in ("multiplier_a", "multiplier_b")]
    products = [(f * low, f * high) for f, (low, high) in zip(factors, terms, strict=True)]
    largest = max(map(magnitude, (*products, total, *((f, f) for f in factors))))
    if largest > LIMITS["int32"]:
        return each
    return replace(each, arrays={k: a.astype(np.int32) for k, a in each.arrays.items()})
