"""Generate the sequence of cases of a selection: its families take turns.

Case i depends on the selection and on i alone. So a sequence never changes, a longer one begins
with the shorter one, and any case can be generated without those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.cases import (
    accumulators,
    activation,
    activation_range,
    add,
    add_peers,
    add_tensors,
    add_tensors_peers,
    avg_pool,
    avg_pool2d,
    avg_pool2d_peers,
    avg_pool_peers,
    batches,
    border,
    border_round,
    bordered_conv2d,
    clip,
    concat,
    dequantize,
    dequantize_float32,
    fused_conv2d,
    half,
    layer_apart,
    layer_ends,
    layer_narrow,
    layer_peers,
    layer_sizes,
    layer_ties,
    layers,
    lookup,
    matmul,
    matmul_apart,
    max_pool2d,
    mul,
    multiplier,
    program,
    program_sizes,
    quantize,
    quantize_float32,
    requantize,
    requantize_any,
    rescale_codes,
    round,
    table_sizes,
    tensor_sizes,
    threshold,
    thresholds,
)
from aquant_ref.conformance.cases.draw import Draw
from aquant_ref.conformance.cases.family import DTYPES, Cases, Columns, Family
from aquant_ref.conformance.cases.features import without_ties
from aquant_ref.conformance.cases.recipe import Recipe
from aquant_ref.conformance.cases.selection import SIZES
from aquant_ref.errors import InputError
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.selection import Selection

FAMILIES: dict[str, tuple[Family, ...]] = {
    "round": round.FAMILIES,
    "quantize": quantize.FAMILIES,
    "dequantize": dequantize.FAMILIES,
    "multiplier": multiplier.FAMILIES,
    "requantize": requantize.FAMILIES,
    "requantize_any": requantize_any.FAMILIES,
    "add": add.FAMILIES,
    "avg_pool": avg_pool.FAMILIES,
    "rescale_codes": rescale_codes.FAMILIES,
    "mul": mul.FAMILIES,
    "activation_range": activation_range.FAMILIES,
    "clip": clip.FAMILIES,
    "border_round": border_round.FAMILIES,
    "border": border.FAMILIES,
    "threshold": threshold.FAMILIES,
    "conv2d": (
        *layers.CONV2D,
        *layer_sizes.CONV2D,
        *layer_narrow.CONV2D,
        *layer_apart.CONV2D[""],
        *layer_ends.CONV2D,
        *layer_ties.CONV2D,
    ),
    "depthwise": (
        *layers.DEPTHWISE,
        *layer_sizes.DEPTHWISE,
        *layer_narrow.DEPTHWISE,
        *layer_apart.DEPTHWISE[""],
        *layer_ends.DEPTHWISE,
        *layer_ties.DEPTHWISE,
    ),
    "linear": (
        *layers.LINEAR,
        *layer_sizes.LINEAR,
        *layer_narrow.LINEAR,
        *layer_apart.LINEAR[""],
        *layer_ends.LINEAR,
        *layer_ties.LINEAR,
    ),
    "conv_integer": accumulators.CONV_INTEGER,
    "matmul_integer": accumulators.MATMUL_INTEGER,
    "add_tensors": (*add_tensors.FAMILIES, *tensor_sizes.ADD_TENSORS, *add_tensors.CLOSE),
    "avg_pool2d": (*avg_pool2d.FAMILIES, *tensor_sizes.AVG_POOL2D),
    "max_pool2d": (*max_pool2d.FAMILIES, *tensor_sizes.MAX_POOL2D),
    "thresholds": (*thresholds.FAMILIES, *tensor_sizes.THRESHOLDS),
    "bordered_conv2d": (*bordered_conv2d.FAMILIES, *table_sizes.BORDERED_CONV2D),
    "fused_conv2d": (*fused_conv2d.FAMILIES, *table_sizes.FUSED_CONV2D),
    "matmul": (*matmul.FAMILIES, *matmul_apart.FAMILIES),
    "lookup": lookup.FAMILIES,
    "activation": activation.FAMILIES,
    "concat": concat.FAMILIES,
    **batches.FAMILIES,
    "program": (*program.FAMILIES, *program_sizes.FAMILIES),
}


# Families of the first vectors that are not about ties, and have some: each has a twin without.
WITH_TIES = {
    "round": ("large", "beyond_int32"),
    "add": ("halves", "relu"),
    "avg_pool": ("near_tie", "relu"),
    "conv2d": ("wide_near_tie", "relu", "strides", "groups"),
    "depthwise": ("near_tie", "wide_near_tie", "accumulator_end", "random", "strides"),
    "linear": ("accumulator_end", "weight_zero"),
    "add_tensors": ("near_tie", "halves"),
    "avg_pool2d": ("near_tie", "padding_counts", "padding_does_not_count"),
}
FAMILIES |= {
    name: (*FAMILIES[name], *without_ties(name, FAMILIES[name], *flags))
    for name, flags in WITH_TIES.items()
}

Families = dict[str, tuple[Family, ...]]


def together(first: Families, later: Families) -> Families:
    """Return the families of each variation of `first` with those that came later."""
    return {name: (*kinds, *later.get(name, ())) for name, kinds in first.items()}


# The families of alternatives, by operation and variation.
OF_ALTERNATIVES: dict[str, Families] = {
    "quantize": quantize_float32.FAMILIES | half.QUANTIZE,
    "dequantize": dequantize_float32.FAMILIES | half.DEQUANTIZE,
    "add": add_peers.FAMILIES,
    "add_tensors": add_tensors_peers.FAMILIES,
    "avg_pool": avg_pool_peers.FAMILIES,
    "rescale_codes": rescale_codes.OF_PEERS,
    "mul": mul.OF_PEERS,
    "concat": concat.OF_PEERS,
    "activation": {"float32": activation.BOUNDED},
    "activation_range": activation_range.OF_PEERS,
    "avg_pool2d": avg_pool2d_peers.FAMILIES,
    "conv2d": together(layer_peers.CONV2D, layer_apart.CONV2D),
    "depthwise": together(layer_peers.DEPTHWISE, layer_apart.DEPTHWISE),
    "linear": together(layer_peers.LINEAR, layer_apart.LINEAR),
}


def families_of(operation: str, profile: str) -> tuple[Family, ...]:
    """Return all families of an operation in a variation."""
    return OF_ALTERNATIVES.get(operation, {}).get(profile) or FAMILIES[operation]


def families(selection: Selection) -> tuple[Family, ...]:
    """Return the families that take turns; InputError if there are none."""
    asked = selection.rejects, selection.edition, selection.size
    of_profile = families_of(selection.operation, selection.profile)
    chosen = tuple(f for f in of_profile if (f.rejects, f.edition, f.size) == asked)
    if not chosen:
        of = f" of edition {selection.edition}" if selection.edition else ""
        of += f" and size {selection.size}" * (selection.size != SIZES[0])
        raise InputError(
            f"{selection.operation}: has no input{of}" + " that has to be refused" * asked[0]
        )
    return chosen


def generate(selection: Selection, index: Sequence[int] | Array) -> Cases:
    """Generate the cases at these places, which are their ids, too. Spec: AQ-CONF-2."""
    taking_turns = families(selection)
    places = np.asarray(index, np.int64)
    operation = contract.get(selection.operation)
    kind = places % len(taking_turns)
    columns_of = [
        _members(selection, family, places[kind == k] // len(taking_turns))
        for k, family in enumerate(taking_turns)
    ]
    columns: Columns = {}
    for field in operation.fields:
        dtype: Any = object
        if operation.scalar:
            dtype = DTYPES.get(field.type) or np.result_type(
                *(members[field.name] for members in columns_of)
            )
        column = columns[field.name] = np.empty(len(places), dtype)
        for k, members in enumerate(columns_of):
            if field.name in members:  # without a member a tensor operation has no columns
                column[kind == k] = members[field.name]
    flags = [(family.flag,) for family in taking_turns]
    ids = list(map(str, places.tolist()))
    recipes = {} if operation.scalar else _computed(columns)
    return Cases(operation, selection.profile, ids, flags, kind, columns, recipes)


def _computed(columns: Columns) -> dict[tuple[str, int], Recipe]:
    """Replace each recipe in the columns by its tensor; return the recipes."""
    recipes = {}
    for name, column in columns.items():
        for k, value in enumerate(column):
            if isinstance(value, Recipe):
                recipes[name, k] = value
                column[k] = value.array()
    return recipes


def _members(selection: Selection, family: Family, numbers: Array) -> Columns:
    key = (selection.operation, selection.profile, family.flag, *selection.arguments().values())
    return family.make(Draw(" ".join(key), numbers), selection)
