"""Snap learned real parameters to those of the quantized model, which all programs share.

Parameters that must combine in integers move to the nearest values that do (SPEC.md, AQ-SNAP):

* scales of tensors and units of layers get the 24 bits of float32, so that products stay exact;
* where an add has two terms, the unit of one that is a layer moves by at most 2^-16 of its value,
  so that the ratio of the two units is a 16-bit integer times a power of two;
* channels that are zero, or tiny compared with their bias, get a unit that fits (`free_scales`);
* the bias of the last layer becomes an integer number of units, so that logits are integers;
* borders become crossings, found by bisection to the last bit of float64; the polynomial is kept
  for hardware without thresholds (AQ-SNAP-5).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.model.quantizers import FeedbackBorder, QuantizedLayer, QuantizedTensor, Window
from aquant_ref.nn.windows import pair
from aquant_ref.ptq.free_scales import dead_channels, settle, settle_logits
from aquant_ref.ptq.network import LearnedNetwork, LearnedTensor, every_row
from aquant_ref.quant import border
from aquant_ref.quant.feedback import feedback_tables
from aquant_ref.quant.qparams import code_range
from aquant_ref.quant.window import WideCodes, row_borders, window_border
from aquant_ref.typing import Reals

RATIO_BITS = 16
LOGIT_BITS = 29  # of the bias of a logit, so that its product with a unit of 24 bits is exact
FARTHEST = 30  # bits between the units of two terms of an add, if one term has zero weights


def to_single(values: Any) -> Any:
    """Round to float32, and return float64; values beyond float32 become infinity.

    Spec: AQ-SNAP-1.
    """
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32).astype(np.float64)


def snap_ratio(values: Reals, reference: Reals) -> Reals:
    """Move `values` so that values/reference is m * 2^e with an integer m of 16 bits.

    Spec: AQ-SNAP-2. Both are positive float64 of one shape. `reference` has at most 24 significant
    bits, so the result has at most 40 and is exact. Values change by at most 2^-16 of themselves.
    """
    mantissa, exponent = np.frexp(values / reference)
    integer = np.rint(np.ldexp(mantissa, RATIO_BITS))
    return np.asarray(np.ldexp(reference * integer, exponent - RATIO_BITS))


def snap(network: LearnedNetwork, source: dict[str, Any]) -> QuantizedModel:
    """Return the quantized model of `network`, with `source` stored in it.

    Spec: AQ-SNAP-1 to AQ-SNAP-7. Raise InputError, which names the tensor, if a border has several
    crossings in a cell, the terms of an add cannot get a common unit, or a unit is outside float32.
    """
    graph = network.graph
    wide = network.read_in_windows()
    tensors = {
        name: _tensor(
            name,
            replace(
                tensor,
                signed=tensor.signed and name not in wide,
                wide=tensor.wide if name in wide else None,
            ),
        )
        for name, tensor in network.tensors.items()
    }
    parameters = network.weights()
    layers = {}
    draft = QuantizedModel(graph, {}, tensors, source)
    if not network.codes:  # weights in floating point do not combine in integers
        windows = {name: _window(network, name, None) for name in network.windows}
        return QuantizedModel(graph, {}, tensors, source, windows, parameters)
    for name, codes in network.codes.items():
        scale = network.scales[name]
        layers[name] = QuantizedLayer(
            codes,
            scale.zero_point,
            scale.bits,
            to_single(scale.scale * draft.input_scale(name)),
            parameters[f"{name}.bias"].astype(np.float64),
        )
    _check_units(layers)
    settle(draft, layers)
    _snap_adds(draft, layers)
    layers[graph.output] = _snap_logits(graph.output, layers[graph.output])
    windows = {name: _window(network, name, layers[name]) for name in network.windows}
    return QuantizedModel(graph, layers, tensors, source, windows)


def _tensor(name: str, tensor: LearnedTensor) -> QuantizedTensor:
    """Return the quantizer of a tensor with crossings as its border. Spec: AQ-SNAP-4."""
    bits, steps = tensor.bits, tensor.zero_point
    coefficients, squash = tensor.coefficients, tensor.squash
    if coefficients is None:
        crossings = border.nearest_crossings(bits, steps)
    else:
        coefficients = coefficients.astype(np.float64)
        try:
            crossings = border.crossings(coefficients, bits, zero_point=steps, squash=squash)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
    scale = float(to_single(tensor.scale))
    zero_point = steps + code_range(bits, signed=tensor.signed)[0]
    return QuantizedTensor(
        scale, bits, crossings, zero_point, tensor.signed, coefficients, squash, tensor.wide
    )


def _window(network: LearnedNetwork, name: str, layer: QuantizedLayer | None) -> Window:
    """Return the border of a convolution that rounds in windows, as tables. Spec: AQ-SNAP-4.

    `layer` is None where weights stay in floating point.
    """
    learned, node = network.windows[name], network.graph.node(name)
    source = network.source(node.inputs[0])
    assert source is not None
    tensor = network.tensors[source]
    kernel = int(np.prod(pair(node["kernel"])))
    rows = network.graph.shapes[node.inputs[0]][0] * kernel
    coefficients = learned.coefficients.astype(np.float64)
    wide = tensor.wide or WideCodes.of(tensor.bits, tensor.zero_point)
    options: dict[str, Any] = {"zero_point": tensor.zero_point, "wide": wide}
    if not learned.feedback:
        coefficients = every_row(coefficients, rows)
        options |= {"kernel": kernel, "squash": learned.squash}
        return window_border(coefficients, learned.fusion, tensor.bits, **options)
    if learned.fusion is not None:
        raise InputError(f"{name}: a border has window fusion or feedback, not both")
    if len(coefficients) > 1:  # a single border stays one row of the table
        coefficients = every_row(coefficients, rows)
    borders = row_borders(coefficients, tensor.bits, squash=learned.squash, **options)
    groups = node["groups"]
    rank = min(learned.feedback, network.graph.shapes[name][0] // groups)
    if layer is None or learned.errors == "rounding":
        return FeedbackBorder(borders, rank, learned.errors)
    return feedback_tables(
        borders, layer.integers(), layer.unit, tensor.bits, groups=groups, rank=rank, **options
    )


def _check_units(layers: dict[str, QuantizedLayer]) -> None:
    for name, layer in layers.items():
        if not bool((np.isfinite(layer.unit) & (layer.unit > 0)).all()):
            raise InputError(
                f"{name}: the product of its weight scale and its input scale is outside float32"
            )


def _snap_adds(draft: QuantizedModel, layers: dict[str, QuantizedLayer]) -> None:
    """Move the unit of one layer of each add in `draft`, so that both terms share a unit.

    Spec: AQ-SNAP-2. Two stored terms need no move.
    """
    graph = draft.graph
    units: dict[str, Reals] = {}  # of each add, the unit of the term that does not move

    def unit_of(term: str) -> Reals | None:
        """Return the unit of a term per channel, with 24 bits; None if it has no unit."""
        if term in layers and term not in draft.tensors:
            return layers[term].unit
        scale = draft.code_scale(term)
        return units.get(term) if scale is None else np.full(graph.shapes[term][0], scale)

    def movable(term: str) -> bool:
        sums = term in layers and term not in draft.tensors
        return sums and len(graph.consumers(term)) == 1

    for node in graph.nodes:
        if node.op != "add":
            continue
        first, second = node.inputs
        moved, kept = (first, second) if movable(first) else (second, first)
        unit = unit_of(kept)
        stored = all(draft.code_scale(term) is not None for term in node.inputs)
        if unit is None or not (stored or movable(moved)):
            raise InputError(
                f"{node.name}: neither {first} nor {second} is a layer that only this add reads, "
                "so no scale can move to fit the other"
            )
        if not stored:
            layers[moved] = _moved(layers[moved], unit)
        units[node.name] = unit


def _moved(layer: QuantizedLayer, unit: Reals) -> QuantizedLayer:
    """Move the units of `layer` to fit `unit`; a dead channel gets `unit` times a power of two."""
    power = np.clip(np.rint(np.log2(layer.unit / unit)), 0, FARTHEST)
    dead = dead_channels(layer)
    return replace(
        layer, unit=np.where(dead, np.ldexp(unit, power.astype(int)), snap_ratio(layer.unit, unit))
    )


def _snap_logits(name: str, layer: QuantizedLayer) -> QuantizedLayer:
    """Give all logits one unit and a bias that is an integer number of units. Spec: AQ-SNAP-3."""
    layer = settle_logits(layer)
    if len(set(layer.unit)) != 1:
        raise InputError(f"{name}: the last layer needs one scale for all its outputs")
    units = np.rint(layer.bias / layer.unit)
    extra = np.maximum(np.frexp(units)[1] - LOGIT_BITS, 0)
    units = np.ldexp(np.rint(np.ldexp(units, -extra)), extra)
    return replace(layer, bias=units * layer.unit)


def largest_change(network: LearnedNetwork, model: QuantizedModel) -> float:
    """Return the largest relative change of a scale or unit by the snap.

    Spec: AQ-SNAP-5 to AQ-SNAP-7. Free scales, and units of weights made coarser, do not count.
    """
    pairs: list[tuple[Any, Any]] = [
        (model.tensors[name].scale, each.scale) for name, each in network.tensors.items()
    ]
    for name, layer in model.layers.items():
        read = network.graph.node(name).inputs[0]
        while read not in network.tensors:  # all inputs of a concat have one scale
            read = network.graph.node(read).inputs[0]
        unit = network.scales[name].scale * network.tensors[read].scale
        same = (layer.codes == network.codes[name]).reshape(len(unit), -1).all(axis=1)
        moved = same & ~dead_channels(layer)
        pairs.append((layer.unit[moved], unit[moved]))
    return max(float(np.max(abs(after / before - 1), initial=0)) for after, before in pairs)
