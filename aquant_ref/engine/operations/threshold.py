"""`threshold`, from accumulators to codes, and `lookup`, from codes to codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aquant_ref.engine.instruction import (
    LARGEST_CODE,
    LEAST_CODE,
    Bounds,
    Instruction,
    Range,
    Shape,
    code_type,
    need,
)
from aquant_ref.engine.operations.operation import Operation, codes_bounds, whole


def _threshold_shape(each: Instruction, shape: Shape) -> Shape:
    thresholds = each.arrays["thresholds"]
    need(
        each.name,
        thresholds.ndim == 2
        and len(thresholds) == shape[0]
        and 1 <= thresholds.shape[1] <= LARGEST_CODE,
        f"its thresholds {thresholds.shape} do not fit {shape[0]} channels",
    )
    ascending = bool((thresholds[:, 1:] >= thresholds[:, :-1]).all())
    need(each.name, ascending, "thresholds are not sorted")
    least, count = each.attributes["least"], thresholds.shape[1]
    need(
        each.name,
        code_type(least, least + count) is not None,
        f"its least cannot be {least} with {count} thresholds",
    )
    return shape


def _threshold_codes(each: Instruction, *_ranges: Range | None) -> Range:
    least = each.attributes["least"]
    return least, least + each.arrays["thresholds"].shape[1]


def _threshold_bounds(each: Instruction, inputs: Sequence[Bounds], _shape: Shape) -> Bounds:
    return codes_bounds(_threshold_codes(each), len(inputs[0][0]))


def _lookup_shape(_each: Instruction, shape: Shape) -> Shape:
    return shape


def _check_table(each: Instruction, codes: Range) -> None:
    least, largest = codes
    need(each.name, least >= 0, f"its tables have no entry for code {least}")
    shape = each.arrays["table"].shape
    fits = len(shape) == 1 and shape[0] > largest
    need(each.name, fits, f"its table of shape {shape} has no entry for code {largest}")


def _lookup_codes(each: Instruction, *_ranges: Range | None) -> Range:
    return 0, int(each.arrays["table"].max())


def _lookup_bounds(each: Instruction, inputs: Sequence[Bounds], _shape: Shape) -> Bounds:
    table = each.arrays["table"].astype(np.int64)
    return codes_bounds((int(table.min()), int(table.max())), len(inputs[0][0]))


OPERATIONS = {
    "threshold": Operation(
        _threshold_shape,
        _threshold_bounds,
        {"thresholds": ("int64",)},
        attributes={"least": whole(LEAST_CODE)},
        codes=_threshold_codes,
        stored=_threshold_codes,
    ),
    "lookup": Operation(
        _lookup_shape,
        _lookup_bounds,
        {"table": ("uint8",)},
        reads_codes=True,
        check_codes=_check_table,
        codes=_lookup_codes,
    ),
}
