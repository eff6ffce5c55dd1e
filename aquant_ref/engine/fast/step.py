"""An instruction as the fast engine computes it: with what the program's bounds allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aquant_ref.engine.bounds import product_types
from aquant_ref.engine.fast.narrow_dtypes import narrowed
from aquant_ref.engine.fast.packed_pairs import ImagePair, pairs
from aquant_ref.engine.fast.threshold_table import ThresholdTable

if TYPE_CHECKING:
    from aquant_ref.engine.instruction import Bounds, Instruction

FEW = 15  # up to this many thresholds are counted one by one; a table is faster for more


@dataclass(frozen=True)
class Step:
    """`kind` is the type of its product, `pair` how two images share it, `table` its thresholds."""

    instruction: Instruction
    kind: str = "integer"
    pair: ImagePair | None = None
    table: ThresholdTable | None = None


def steps(
    instructions: tuple[Instruction, ...], known: Mapping[str, Bounds], *, floats: bool
) -> dict[str, Step]:
    """Prepare each instruction, by name; `known` are the bounds of the program.

    `floats` lets a product be computed in floating point where that is exact.
    """
    types = product_types(instructions, known) if floats else {}
    shared = pairs(instructions, known) if floats else {}
    return {
        each.name: Step(
            each,
            types.get(each.name, "integer"),
            shared.get(each.name),
            _table(each, known[each.inputs[0]]),
        )
        for each in narrowed(instructions, known)
    }


def _table(each: Instruction, bound: Bounds) -> ThresholdTable | None:
    """Tabulate many thresholds, which is four times as fast as a search."""
    if each.op != "threshold" or each.arrays["thresholds"].shape[1] <= FEW:
        return None
    return ThresholdTable.of(each.arrays["thresholds"], each.attributes["least"], bound)
