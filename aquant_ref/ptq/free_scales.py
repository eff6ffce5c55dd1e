"""What is zero has a free scale, which is chosen here so that it fits (AQ-AFFINE-6, AQ-SNAP-6).

A channel without a weight but zeros gives its bias, whatever its unit is; a tensor that is zero on
every calibration image has codes of zero, whatever its scale is. The least scale that there is
would do in real numbers, but then a bias of 1/2 is 10^10 units, which no integer type of the
engine holds.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.model.quantizers import QuantizedLayer, QuantizedTensor
from aquant_ref.nn.graph import Graph
from aquant_ref.quant.qparams import SCALE_FLOOR
from aquant_ref.quant.rounding import half_up

Array = NDArray[Any]

CUT_STEPS = 2**14  # of a zero tensor: what an activation cuts off is no more steps than these
BIAS_BITS = 30  # of a bias in units: so many and one for the sum with its product fit int32
LOGIT_BITS = 30  # of the largest bias of a last layer without weights


def dead_channels(layer: QuantizedLayer) -> Array:
    """(O,) bool: the output channels whose weights are all zero."""
    weights = layer.integers()
    return np.asarray(~weights.reshape(len(weights), -1).any(axis=1))


def scale_of_zeros(
    graph: Graph, name: str, reach: Mapping[str, float], alive: Container[str], qmax: int
) -> float:
    """The scale of the stored tensor `name`, which is zero on every calibration image.

    Spec: AQ-AFFINE-6. `reach` is the largest absolute value of each tensor, 1 of the image; `alive`
    are the stored tensors that are not zero, the image among them.
    """
    made_of = graph.node(name).inputs
    before = made_of[0]
    while before not in alive:
        before = graph.node(before).inputs[0]
    cut = max(reach[read] for read in made_of)
    return max(reach[before] / qmax, cut / CUT_STEPS, SCALE_FLOOR)


def settle(draft: QuantizedModel, layers: dict[str, QuantizedLayer]) -> None:
    """Give the dead channels of all `layers` but the last one a unit that fits, in place.

    Spec: AQ-SNAP-6, AQ-SNAP-7. It is a step of the quantizer that they are rounded by; a bias far
    beyond the codes of all that read it becomes one just beyond, which has the same code. Before
    that, weights that are nothing beside their bias become zero, or coarser.
    """
    for name, given in layers.items():
        found = list(_rounded_into(draft, name))
        if not found:  # the logits are rounded into nothing
            continue
        layers[name] = layer = coarsened(given)
        dead = dead_channels(layer)
        if not dead.any():
            continue
        low, high = -np.inf, np.inf
        if not any(summed for _, summed in found):  # else the other term may bring it back
            low = min((tensor.low - 1) * tensor.scale for tensor, _ in found)
            high = max((tensor.high + 1) * tensor.scale for tensor, _ in found)
        layers[name] = replace(
            layer,
            unit=np.where(dead, found[0][0].scale, layer.unit),
            bias=np.where(dead, np.clip(layer.bias, low, high), layer.bias),
        )


def coarsened(layer: QuantizedLayer) -> QuantizedLayer:
    """The same where each bias is below 2^30 units; else the unit is doubled until it is.

    Spec: AQ-SNAP-7.
    """
    extra = np.maximum(np.frexp(layer.bias / layer.unit)[1] - BIAS_BITS, 0)
    if not extra.any():
        return layer
    weights = layer.integers()
    by_channel = (-1, *(1,) * (weights.ndim - 1))
    steps = half_up(np.ldexp(weights.astype(np.float64), -extra.reshape(by_channel)))
    codes = steps + layer.zero_point.reshape(by_channel)
    return replace(layer, codes=codes.astype(layer.codes.dtype), unit=np.ldexp(layer.unit, extra))


def _rounded_into(draft: QuantizedModel, name: str) -> Iterator[tuple[QuantizedTensor, bool]]:
    """The quantizers that real tensor `name` goes on into, and whether an add comes before them."""
    waiting = [(name, False)]
    while waiting:
        read, summed = waiting.pop()
        if read in draft.tensors:
            yield draft.tensors[read], summed
            continue
        readers = draft.graph.consumers(read)
        waiting += [(each.name, summed or each.op == "add") for each in reversed(readers)]


def settle_logits(layer: QuantizedLayer) -> QuantizedLayer:
    """A last layer whose weights are all zero gets a unit in which its largest bias has 30 bits.

    Spec: AQ-SNAP-6.
    """
    if not dead_channels(layer).all():
        return layer
    exponent = int(np.frexp(abs(layer.bias).max())[1]) - LOGIT_BITS if layer.bias.any() else 0
    return replace(layer, unit=np.full_like(layer.unit, np.ldexp(1.0, exponent)))
