"""Make cases of `program` with constants beyond int32, and more channels than a register."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aquant_ref.conformance.cases.program import Builder
from aquant_ref.conformance.cases.tensor_sizes import family

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.cases.tensors import Row


def _wide_sums(draw: CaseRandom, _selection: Selection) -> Row:
    """Add branches whose multipliers, and so sums and thresholds, pass int16 and int32."""
    add = Builder(draw)
    x, y = (add.threshold(add.conv2d("image", 3, (1, 1)), 7) for _ in range(2))
    size = draw.turn((1 << 13, 1 << 17, 1 << 29, 1 << 31, 1 << 40))
    factors = {f"multiplier_{name}": draw.integers(size, 4 * size, (3,)) | 1 for name in ("a", "b")}
    return add.logits(add.threshold(add("add", [x, y], **factors), 15))


def _many_channels(draw: CaseRandom, _selection: Selection) -> Row:
    """Take more channels, columns and inputs than a register has."""
    add = Builder(draw, (2, 2, draw.turn((9, 17, 33))))
    x = add.threshold(add.conv2d("image", draw.turn((33, 17, 9)), (2, 1)), 15)
    return add.logits(add.threshold(add.conv2d(x, 9, (1, 2), stride=[1, 2]), 15), 17)


FAMILIES = (
    family(
        "wide_sums",
        _wide_sums,
        "sums of branches, and thresholds, beyond int16 and int32",
        ("add.wide", "threshold.never", "accumulator.narrow"),
        5,
    ),
    family(
        "many_channels",
        _many_channels,
        "9 to 33 channels and columns, and more inputs of the last layer",
        ("tail.channels", "tail.columns", "tail.products"),
        3,
    ),
)
