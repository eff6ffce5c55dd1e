"""Choose scales for channels and tensors that are zero (AQ-AFFINE-6, AQ-SNAP-6).

A channel of zero weights outputs its bias, whatever its unit is; a tensor that is zero on every
calibration image has codes of zero, whatever its scale is. So these scales are free. The smallest
possible scale would be right in real numbers, but would make a bias of 1/2 as large as 10^10 units,
too many for the integers of the engine.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.nn.operations import slope_below_zero
from aquant_ref.quant.qparams import SCALE_FLOOR
from aquant_ref.quant.rounding import half_up
from aquant_ref.typing import Mask

if TYPE_CHECKING:
    from aquant_ref.model.quantized_model import QuantizedModel
    from aquant_ref.model.quantizers import QuantizedLayer, QuantizedTensor
    from aquant_ref.nn.graph import Graph

CUT_STEPS = 2**14  # a zero tensor's values before the activation that cut them off, in steps
BIAS_BITS = 30  # of a bias in units, so that its sum with the product fits int32
LOGIT_BITS = 30  # of the largest bias of a last layer without weights


def dead_channels(layer: QuantizedLayer) -> Mask:
    """Return which output channels have only zero weights, (O,) bool."""
    weights = layer.integers()
    return np.asarray(~weights.reshape(len(weights), -1).any(axis=1))


def scale_of_zeros(
    graph: Graph, name: str, reach: Mapping[str, float], alive: Container[str], qmax: int
) -> float:
    """Return the scale of the stored tensor `name`, which is zero on every calibration image.

    Spec: AQ-AFFINE-6. `reach` is the largest absolute value of each tensor, 1 for the image;
    `alive` are the stored tensors that are not zero, including the image.
    """
    made_of = graph.node(name).inputs
    before = made_of[0]
    while before not in alive:
        before = graph.node(before).inputs[0]
    cut = max(reach[read] for read in made_of)
    return max(reach[before] / qmax, cut / CUT_STEPS, SCALE_FLOOR)


def settle(draft: QuantizedModel, layers: dict[str, QuantizedLayer]) -> None:
    """Give dead channels of all `layers` but the last a unit that fits, in place.

    Spec: AQ-SNAP-6, AQ-SNAP-7. The unit becomes one step of the quantizer after the layer. A bias
    far beyond the codes of all quantizers that read it becomes one just beyond, with the same code.
    Before that, weights that are tiny compared with their bias become coarser, or zero.
    """
    for name, before in layers.items():
        quantizers = list(_rounded_into(draft, name))
        if not quantizers:  # no quantizer follows the logits
            continue
        layers[name] = layer = coarsened(before)
        dead = dead_channels(layer)
        if not dead.any():
            continue
        low, high = -np.inf, np.inf
        if not any(summed for *_, summed in quantizers):  # the other term could compensate the bias
            low = min((tensor.low - 1) * tensor.scale / slope for tensor, slope, _ in quantizers)
            high = max((tensor.high + 1) * tensor.scale for tensor, *_ in quantizers)
        layers[name] = replace(
            layer,
            unit=np.where(dead, quantizers[0][0].scale, layer.unit),
            bias=np.where(dead, np.clip(layer.bias, low, high), layer.bias),
        )


def coarsened(layer: QuantizedLayer) -> QuantizedLayer:
    """Double the unit of each channel until its bias is below 2^30 units, and round its weights.

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


def _rounded_into(
    draft: QuantizedModel, name: str
) -> Iterator[tuple[QuantizedTensor, float, bool]]:
    """Yield the quantizers that round real tensor `name`, the slope of a leaky ReLU before them,
    else 1, and whether an add comes before them.
    """
    waiting = [(name, False)]
    while waiting:
        read, summed = waiting.pop()
        if read in draft.tensors:
            slope = float(slope_below_zero(draft.graph.node(read))) or 1.0
            yield draft.tensors[read], slope, summed
            continue
        readers = draft.graph.consumers(read)
        waiting += [(reader.name, summed or reader.op == "add") for reader in reversed(readers)]


def settle_logits(layer: QuantizedLayer) -> QuantizedLayer:
    """Give a last layer of zero weights a unit in which its largest bias has 30 bits.

    Spec: AQ-SNAP-6.
    """
    if not dead_channels(layer).all():
        return layer
    exponent = int(np.frexp(abs(layer.bias).max())[1]) - LOGIT_BITS if layer.bias.any() else 0
    return replace(layer, unit=np.full_like(layer.unit, np.ldexp(1.0, exponent)))
