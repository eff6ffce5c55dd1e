"""Place quantizers: which tensors get one, with how many bits; which layers are at the boundary.

A quantizer belongs to a tensor (after convolution + ReLU, after add + ReLU), not to a reader: the
shortcut of a block reads the same codes as its first convolution. First and last layers have 8-bit
weights; the image, and all tensors between the last ReLU and the last layer, have 8-bit codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aquant_ref.errors import InputError
from aquant_ref.model.quantized_model import PASSES_CODES
from aquant_ref.nn.graph import INPUT, Block, Graph
from aquant_ref.nn.operations import ACTIVATIONS

if TYPE_CHECKING:
    from aquant_ref.nn.operations import Node

UNITS = ("block", "layer", "network")
LAYERS = ("conv2d", "linear")
SUMS = (*LAYERS, "add")
PRODUCTS = ("mul",)
BOUNDARY_BITS = 8


def layers(graph: Graph) -> tuple[str, ...]:
    """Return the names of the nodes with weights."""
    return tuple(node.name for node in graph.nodes if node.op in LAYERS)


def boundary_layers(graph: Graph) -> frozenset[str]:
    """Return the layers that read the image, and the last layer."""
    first = {node.name for node in graph.consumers(INPUT) if node.op in LAYERS}
    return frozenset(first | {graph.output})


def quantized_tensors(graph: Graph) -> tuple[str, ...]:
    """Return the tensors that are stored as codes, in network order.

    The output of a layer or an add is not stored if its only reader is a ReLU, an add or a concat,
    nor is the output of a mul if its only reader is a ReLU; it continues unrounded. A concat and a
    requantize have their own quantizer.
    """
    stored = [INPUT]
    for node in graph.nodes:
        readers = graph.consumers(node.name)
        continues = len(readers) == 1 and (
            (node.op in SUMS and readers[0].op in (*ACTIVATIONS, "add", "concat"))
            or (node.op in PRODUCTS and readers[0].op in ACTIVATIONS)
        )
        if readers and not continues and node.op not in PASSES_CODES:
            stored.append(node.name)
    return tuple(stored)


def _towards_output(graph: Graph, name: str) -> set[str]:
    """Return the tensors on the way back from `name` to the first ReLUs or layers, inclusive."""
    visited, waiting = set[str](), [name]
    while waiting:
        name = waiting.pop()
        if name in visited:
            continue
        visited.add(name)
        if name != INPUT and (node := graph.node(name)).op not in (*SUMS, *ACTIVATIONS):
            waiting += node.inputs
    return visited


def boundary_tensors(graph: Graph) -> frozenset[str]:
    """Return the image, and what the last layer reads, back to the ReLU before the pool."""
    last = graph.node(graph.output).inputs[0]
    return frozenset(({INPUT} | _towards_output(graph, last)) & set(quantized_tensors(graph)))


def layer_bits(graph: Graph, bits: int) -> dict[str, int]:
    """Return the weight bits of each layer: BOUNDARY_BITS for boundary layers, else `bits`."""
    boundary = boundary_layers(graph)
    return {name: BOUNDARY_BITS if name in boundary else bits for name in layers(graph)}


def tensor_bits(graph: Graph, bits: int) -> dict[str, int]:
    """Return the bits of each stored tensor: BOUNDARY_BITS at the boundary, else `bits`."""
    boundary = boundary_tensors(graph)
    return {n: BOUNDARY_BITS if n in boundary else bits for n in quantized_tensors(graph)}


def units(graph: Graph, kind: str) -> tuple[Block, ...]:
    """Return the units of learning: named blocks, each layer with the ReLU after it, or all."""
    if kind == "block":
        return graph.blocks()
    if kind == "network":
        return (Block.of("network", graph.nodes),)
    groups: list[list[Node]] = []
    for node in graph.nodes:
        before = groups[-1][-1].name if groups else ""
        only_reader = node.inputs == (before,) and graph.consumers(before) == (node,)
        if node.op in ACTIVATIONS and only_reader:
            groups[-1].append(node)
        else:
            groups.append([node])
    return tuple(Block.of(group[0].name, group) for group in groups)


def check_blocks(graph: Graph) -> None:
    """Raise InputError, which names the block, if another block reads a tensor inside it.

    A block is learned as a whole, so its last tensor must be its only output.
    """
    for block in graph.blocks():
        members = {node.name for node in block.nodes}
        for node in block.nodes[:-1]:
            if not members >= {reader.name for reader in graph.consumers(node.name)}:
                raise InputError(
                    f"block {block.name!r}: another block reads its tensor {node.name}; only its "
                    f"last tensor, {block.output}, may be read outside"
                )
