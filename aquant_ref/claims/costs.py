"""Claim 5, counted: what a border adds to the parameters and operations of the network.

Operations are counted for one image. The network has one multiply-add for each weight and position
that it is used at, and as parameters its weights and biases, batch norm folded. A border adds, for
each element that it rounds,

| form | in polynomial form | tables |
|---|---|---|
| tensor, channel | degree multiply-adds (Horner), one squash | nothing |
| row | the same | one look-up |
| fused | twice the degree, one add into the mean, one squash | two look-ups, an add, a comparison |
| feedback, rank r | 2*r + 1 multiply-adds beside those of row | the same, one look-up |

where elements are those of the tensor or, for the last three, of the im2col matrices of the
convolutions that read it: each activation once for each window that it appears in. Once learned, an
element-wise border is its crossings, and lowering moves these into the thresholds that every
quantizer has: nothing is left. In windows a border is tables over the wide codes (SPEC.md,
AQ-WINDOW), and no squash is left. Feedback needs r multiply-adds for <e, a>, r to bring e up to
date, and one with the gain; its parameters are the directions, unless they are the weights
themselves, and the gains. A family of constants has degree 0; a border that is 1/2 everywhere and
not learned, as with feedback alone, has no polynomial.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np

from aquant_ref.nn.operations import Node
from aquant_ref.nn.windows import pair
from aquant_ref.ptq.border_spec import BorderSpec
from aquant_ref.ptq.network import LearnedNetwork
from aquant_ref.ptq.placement import layers


@dataclass(frozen=True)
class NetworkCost:
    """The network without any border: parameters, and multiply-adds for one image."""

    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class BorderCost:
    """What the borders add, for one image.

    `multiply_adds`, `adds` and `squashes` are those of the polynomial form; `look_ups`,
    `table_adds` (comparisons among them) and `table_multiply_adds` those of what the integer form
    has in its place; `table_entries` is how many numbers its tables hold.
    """

    elements: int = 0
    parameters: int = 0
    multiply_adds: int = 0
    adds: int = 0
    squashes: int = 0
    look_ups: int = 0
    table_adds: int = 0
    table_multiply_adds: int = 0
    table_entries: int = 0

    def __add__(self, other: BorderCost) -> BorderCost:
        return BorderCost(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    @property
    def table_operations(self) -> int:
        """Everything that the integer form does for its borders."""
        return self.look_ups + self.table_adds + self.table_multiply_adds


def _values(cost: BorderCost) -> tuple[int, ...]:
    return tuple(asdict(cost).values())


def network_cost(network: LearnedNetwork) -> NetworkCost:
    """The cost of the network itself."""
    graph = network.graph
    products = 0
    for name in layers(graph):
        weight = graph.parameter_shapes[f"{name}.weight"]
        products += prod(weight) * prod(graph.shapes[name][1:])
    return NetworkCost(sum(prod(shape) for shape in graph.parameter_shapes.values()), products)


def border_cost(network: LearnedNetwork, form: BorderSpec) -> BorderCost:
    """What the borders of `network`, which are of `form`, add."""
    total = BorderCost()
    for name, tensor in network.tensors.items():
        if tensor.coefficients is not None:
            elements = prod(network.graph.shapes[name])
            total += BorderCost(
                elements=elements,
                parameters=len(tensor.coefficients) * form.columns,
                multiply_adds=elements * (form.columns - 1),
                squashes=elements,
            )
    for name in network.windows:
        total += _window_cost(network, network.graph.node(name), form)
    return total


def _window_cost(network: LearnedNetwork, node: Node, form: BorderSpec) -> BorderCost:
    window = network.windows[node.name]
    graph = network.graph
    source = network.source(node.inputs[0])
    assert source is not None
    rows = graph.shapes[node.inputs[0]][0] * prod(pair(node["kernel"]))
    elements = rows * prod(graph.shapes[node.name][1:])
    degree = form.columns - 1
    wide = network.tensors[source].qmax * (1 << max(0, 8 - network.tensors[source].bits)) + 1
    entries = rows * wide
    cost = BorderCost(elements=elements)
    if window.feedback == 0 or bool(np.any(window.coefficients)):
        cost += BorderCost(
            parameters=len(window.coefficients) * form.columns,
            multiply_adds=elements * degree,
            squashes=elements,
            look_ups=elements,
            table_entries=entries,
        )
    if window.fusion is not None:
        cost += BorderCost(
            parameters=len(window.fusion) * form.columns,
            multiply_adds=elements * degree,
            adds=elements,
            look_ups=elements,
            table_adds=2 * elements,
            table_entries=entries,
        )
    if window.feedback:
        outputs = graph.shapes[node.name][0] // node["groups"]
        rank = min(window.feedback, outputs)
        cost += BorderCost(
            parameters=rows + (rank * rows if rank < outputs else 0),
            multiply_adds=elements * (2 * rank + 1),
            table_multiply_adds=elements * (2 * rank + 1),
        )
    return cost


def result(network: NetworkCost, border: BorderCost) -> dict[str, Any]:
    """The counts and their share of the network's, in %, as plain JSON values."""

    def percent(part: int, whole: int) -> float:
        return 100 * part / whole

    return {
        **asdict(border),
        "percent": {
            "parameters": percent(border.parameters, network.parameters),
            "multiply_adds": percent(border.multiply_adds + border.adds, network.multiply_adds),
            "table_operations": percent(border.table_operations, network.multiply_adds),
        },
    }
