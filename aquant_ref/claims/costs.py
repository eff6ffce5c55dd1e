"""Claim 5: count the parameters and operations that a border adds to the network.

The paper claims that the overhead of the border is negligible. Operations are counted for one
image. The network has one multiply-add for each weight and position; its parameters are weights and
biases, with batch norm folded. For each element that it rounds, a border adds

| form | in polynomial form | tables |
|---|---|---|
| tensor, channel | degree multiply-adds (Horner), one squash | nothing |
| row | the same | one look-up |
| fused | twice the degree, one add into the mean, one squash | two look-ups, an add, a comparison |
| feedback, rank r | 2*r + 1 multiply-adds beside those of row | the same, one look-up |

where the elements are those of the tensor or, for the last three forms, of the im2col matrices of
the convolutions that read it: each activation counts once for each window that contains it. An
element-wise border costs nothing after lowering, because its crossings become the thresholds that
every quantizer has anyway. In windows the border becomes tables over the wide codes (SPEC.md,
AQ-WINDOW), without a squash. Feedback needs r multiply-adds for <e, a>, r to update e, and one with
the gain; its parameters are the gains and the directions, unless the directions are the weights. A
constant border has degree 0; a border of 1/2 that is not learned, as with feedback alone, has no
polynomial.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.nn.windows import pair
from aquant_ref.ptq.placement import layers

if TYPE_CHECKING:
    from aquant_ref.nn.operations import Node
    from aquant_ref.ptq.border_spec import BorderSpec
    from aquant_ref.ptq.network import LearnedNetwork


@dataclass(frozen=True)
class NetworkCost:
    """The network without a border: parameters, and multiply-adds for one image."""

    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class BorderCost:
    """The cost that borders add, for one image.

    `multiply_adds`, `adds` and `squashes` count the polynomial form. `look_ups`, `table_adds`
    (including comparisons) and `table_multiply_adds` count the integer form, whose tables hold
    `table_entries` numbers.
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
        """The number of operations of the integer form."""
        return self.look_ups + self.table_adds + self.table_multiply_adds


def _values(cost: BorderCost) -> tuple[int, ...]:
    return tuple(asdict(cost).values())


def network_cost(network: LearnedNetwork) -> NetworkCost:
    """Count the network without its borders."""
    graph = network.graph
    products = 0
    for name in layers(graph):
        weight = graph.parameter_shapes[f"{name}.weight"]
        products += prod(weight) * prod(graph.shapes[name][1:])
    return NetworkCost(sum(prod(shape) for shape in graph.parameter_shapes.values()), products)


def border_cost(network: LearnedNetwork, form: BorderSpec) -> BorderCost:
    """Count what the borders of `network`, all of `form`, add."""
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
    """Return the counts and their share of the network's, in %, as plain JSON values."""

    def percent(count: int, whole: int) -> float:
        return 100 * count / whole

    return {
        **asdict(border),
        "percent": {
            "parameters": percent(border.parameters, network.parameters),
            "multiply_adds": percent(border.multiply_adds + border.adds, network.multiply_adds),
            "table_operations": percent(border.table_operations, network.multiply_adds),
        },
    }
