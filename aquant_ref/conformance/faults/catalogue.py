"""List every fault of the catalogue, and those that the stored vectors have to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aquant_ref.conformance.faults import (
    accumulators,
    activation,
    activation_range,
    add,
    add_peers,
    add_tensors,
    add_tensors_peers,
    avg_pool,
    avg_pool2d_peers,
    avg_pool_peers,
    border,
    border_round,
    convolutions,
    half,
    layer_peers,
    layers,
    lookup,
    matmul,
    mul,
    multiplier,
    pairs,
    pools,
    program,
    quantize,
    quantize_peers,
    requantize,
    rescale_codes,
    round,
    sizes,
    table_sizes,
    tables,
    threshold,
)

if TYPE_CHECKING:
    from aquant_ref.conformance.faults.fault import Fault

EVERY: tuple[Fault, ...] = (
    *round.WRONG,
    *activation_range.WRONG,
    *quantize.WRONG,
    *quantize_peers.WRONG,
    *half.WRONG,
    *multiplier.WRONG,
    *requantize.WRONG,
    *add.WRONG,
    *add_peers.WRONG,
    *avg_pool.WRONG,
    *avg_pool_peers.WRONG,
    *rescale_codes.WRONG,
    *mul.WRONG,
    *border_round.WRONG,
    *border.WRONG,
    *threshold.WRONG,
    *convolutions.WRONG,
    *layers.WRONG,
    *accumulators.WRONG,
    *layer_peers.WRONG,
    *sizes.WRONG,
    *pairs.WRONG,
    *add_tensors.WRONG,
    *add_tensors_peers.WRONG,
    *pools.WRONG,
    *avg_pool2d_peers.WRONG,
    *matmul.WRONG,
    *lookup.WRONG,
    *activation.WRONG,
    *tables.WRONG,
    *table_sizes.WRONG,
    *program.WRONG,
)
CATALOGUE = tuple(fault for fault in EVERY if fault.flag)
