"""Fold batch norm and the normalisation of pixels into the layers beside them.

At inference batch norm is an affine map of each channel, y = a*x + d, with

    a = gamma / sqrt(variance + eps)        d = beta - mean*a

After a layer that it alone reads it moves back:       w' = a*w            b' = a*b + d
Before layers that alone read it, it moves forward:    w' = w*a            b' = b + sum of w*d

The second holds where every pixel that a layer reads has been through the map, so where a
convolution does not pad; means in between change nothing. Elsewhere it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.checks import instance, number, shown
from aquant_ref.errors import InputError, counted
from aquant_ref.integer.geometry import sides
from aquant_ref.nn.graph import INPUT, Graph, Parameters
from aquant_ref.typing import Reals

if TYPE_CHECKING:
    from aquant_ref.nn.operations import Node


LAYERS = ("conv2d", "linear")
MEANS = ("flatten", "avg_pool", "global_avg_pool")  # an affine map of a channel passes through
PIXELS = 255  # a pixel code of 255 stands for 1


def fold(
    graph: Graph,
    weights: Parameters,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> tuple[Graph, dict[str, Reals]]:
    """Return the same function of pixel codes, without batch norm: (graph, weights).

    `mean` and `std`, one number a channel, say that the network was trained on (pixel/255 - mean) /
    std; without them it reads pixel/255. Where a padded convolution reads the image, `mean` is
    rounded to a pixel code (see `fold_normalisation`); else all outputs are the same. Raises
    InputError as `fold_batch_norm` and `fold_normalisation` do.
    """
    instance("graph", graph, Graph)
    instance("weights", weights, Mapping)
    graph, weights = fold_batch_norm(graph, weights)
    if mean is None and std is None:
        return graph, weights
    channels = graph.shapes[INPUT][0]
    return fold_normalisation(
        graph,
        weights,
        mean=(0.0,) * channels if mean is None else mean,
        std=(1.0,) * channels if std is None else std,
    )


def fold_batch_norm(graph: Graph, parameters: Parameters) -> tuple[Graph, dict[str, Reals]]:
    """Return the same function without batch norm nodes: (graph, parameters), every convolution
    with a bias.

    Computed in float64, returned in the dtype of the weights. Raises InputError for parameters that
    are missing or do not fit, and, by name, for a batch norm that can move neither way, and for
    what leaves its dtype.
    """
    instance("graph", graph, Graph)
    graph.check_parameters(parameters)
    folded = _with_biases(graph, parameters)
    renamed: dict[str, str] = {}
    with np.errstate(over="ignore", invalid="ignore"):  # looked at below
        for node in graph.nodes:
            if node.op == "batch_norm":
                before = renamed.get(node.inputs[0], node.inputs[0])
                _fold(graph, folded, node, before)
                renamed[node.name] = before
    nodes = [
        replace(
            node,
            inputs=tuple(renamed.get(name, name) for name in node.inputs),
            attributes={**node.attributes, **({"bias": True} if node.op == "conv2d" else {})},
        )
        for node in graph.nodes
        if node.name not in renamed
    ]
    return _folded(Graph(graph.shapes[INPUT], nodes, graph.zero), folded)


def _folded(graph: Graph, parameters: Parameters) -> tuple[Graph, dict[str, Reals]]:
    """Return the folded network; raises InputError where its parameters have left their dtype."""
    own = {name: parameters[name] for name in graph.parameter_shapes}
    try:
        graph.check_parameters(own)
    except InputError as error:
        raise InputError(f"folding overflows: {error}") from error
    return graph, own


def _with_biases(graph: Graph, parameters: Parameters) -> dict[str, Reals]:
    """Return the parameters, with a bias of zeros for each convolution that has none."""
    made = dict(parameters)
    for node in graph.nodes:
        if node.op == "conv2d" and f"{node.name}.bias" not in made:
            weight = made[f"{node.name}.weight"]
            made[f"{node.name}.bias"] = np.zeros(len(weight), weight.dtype)
    return made


def _fold(graph: Graph, parameters: dict[str, Reals], node: Node, before: str) -> None:
    """Move the batch norm `node`, which reads tensor `before`, back or forward, in place."""
    gamma, beta, mean, variance = (
        parameters.pop(f"{node.name}.{name}").astype(np.float64)
        for name in ("gamma", "beta", "mean", "variance")
    )
    slope = gamma / np.sqrt(variance + node["eps"])
    alone = graph.consumers(node.inputs[0]) == (node,)
    follows = before != INPUT and graph.node(before).op in LAYERS
    if alone and follows:
        _scale_outputs(parameters, before, slope, beta, mean)
        return
    offset = beta - mean * slope
    nor = f", nor into {before!r}, which others read too" if follows else ""
    for layer in _readers(graph, node.name, shifted=bool(offset.any()), nor=nor):
        _scale_inputs(parameters, layer, slope, offset)


def _scale_outputs(
    parameters: dict[str, Reals], layer: str, slope: Reals, beta: Reals, mean: Reals
) -> None:
    weight, bias = parameters[f"{layer}.weight"], parameters[f"{layer}.bias"]
    column = slope.reshape(-1, *(1,) * (weight.ndim - 1))
    parameters[f"{layer}.weight"] = np.asarray(weight * column, weight.dtype)
    parameters[f"{layer}.bias"] = np.asarray(beta + (bias - mean) * slope, weight.dtype)


def _scale_inputs(parameters: dict[str, Reals], layer: Node, slope: Reals, offset: Reals) -> None:
    """Let `layer` read x in place of slope*x + offset; both are one number a channel of x."""
    weight = parameters[f"{layer.name}.weight"]
    positions = weight.shape[1] * _groups(layer) // len(slope)  # of a flattened channel
    # (groups, channels of a group): which channel each input of a group is
    channels = np.repeat(np.arange(len(slope)), positions).reshape(_groups(layer), -1)
    own = np.repeat(channels, len(weight) // _groups(layer), axis=0)
    spread = (slice(None), slice(None), *(None,) * (weight.ndim - 2))
    added = (weight * offset[own][spread]).reshape(len(weight), -1).sum(axis=1, dtype=np.float64)
    bias = parameters[f"{layer.name}.bias"]
    parameters[f"{layer.name}.weight"] = np.asarray(weight * slope[own][spread], weight.dtype)
    parameters[f"{layer.name}.bias"] = np.asarray(bias + added, weight.dtype)


def _groups(layer: Node) -> int:
    """Return the number of groups of a convolution, 1 of a linear layer."""
    return int(layer["groups"]) if layer.op == "conv2d" else 1


def _readers(
    graph: Graph, start: str, *, shifted: bool, maxima: bool = False, nor: str = ""
) -> Iterator[Node]:
    """Yield the layers that read tensor `start`, through means and `flatten`.

    With `maxima`, also through maxima, which a map of positive slope does not change. Raises
    InputError, which names `start` and ends with `nor`, where something else reads it, or a padded
    pixel would be `shifted`.
    """
    waiting = [start]
    while waiting:
        name = waiting.pop()
        for reader in graph.consumers(name):
            padded = "padding" in reader.attributes and any(map(any, sides(reader["padding"])))
            if reader.op in LAYERS and not (padded and shifted):
                yield reader
                continue
            counts = padded and reader.op == "avg_pool" and reader["count_padding"]
            through = (*MEANS, "max_pool") if maxima else MEANS
            if reader.op not in through or (counts and shifted):
                how = f"{reader.name!r}, a {reader.op}" + (" that pads" if padded else "")
                raise InputError(f"{start}: cannot be folded into what reads it: {how}{nor}")
            waiting.append(reader.name)
        if not graph.consumers(name):
            raise InputError(f"{start}: cannot be folded: no layer reads it")


def fold_normalisation(
    graph: Graph, parameters: Parameters, *, mean: Sequence[float], std: Sequence[float]
) -> tuple[Graph, dict[str, Reals]]:
    """Fold (pixel/255 - mean)/std into the first layers, which then read pixel codes.

    A padded pixel is the real zero, which no code stands for exactly: the nearest, round(255*mean),
    becomes the zero of the image (AQ-AFFINE-4), so outputs that meet padding differ by what at most
    half a code in each padded pixel makes; all others are the same. `mean` and `std` have one
    number a channel, 0 <= mean <= 1, std > 0. Raises InputError for other numbers, and where the
    image reaches an operation that is no layer, other than pools and `flatten`.
    """
    instance("graph", graph, Graph)
    channels = graph.shapes[INPUT][0]
    for name, values in (("mean", mean), ("std", std)):
        if not isinstance(values, Sequence | np.ndarray) or np.shape(values) != (channels,):
            raise InputError(f"{name}: needs {counted(channels, 'number')}, got {shown(values)}")
    if (
        all(isinstance(value, int | float | np.number) for value in mean)
        and 1 < max(mean) <= PIXELS
    ):
        raise InputError(
            f"mean: needs numbers of pixel/255, 0 to 1, got {shown(max(mean))}; divide it and std "
            "by 255"
        )
    shift = np.array([number("mean", value, 0, 1) for value in mean], np.float64)
    scale = np.array([number("std", value, above=True) for value in std], np.float64)
    zero: list[int] = np.rint(PIXELS * shift).astype(int).tolist()
    graph.check_parameters(parameters)
    changed: dict[str, Reals] = _with_biases(graph, parameters)
    for layer in _readers(graph, INPUT, shifted=False, maxima=True):
        with np.errstate(over="ignore", invalid="ignore"):  # looked at below
            offset = (np.array(zero) / PIXELS - shift) / scale
            _scale_inputs(changed, layer, 1 / scale, offset)
    nodes = [
        replace(node, attributes={**node.attributes, "bias": True}) if node.op == "conv2d" else node
        for node in graph.nodes
    ]
    return _folded(Graph(graph.shapes[INPUT], nodes, zero), changed)
