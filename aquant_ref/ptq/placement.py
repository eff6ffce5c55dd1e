"""Which tensors get a quantizer, how many bits each, and which layers are the first and the last.

A quantizer belongs to a tensor (after convolution + ReLU, after add + ReLU), not to a reader: the
shortcut of a block reads the same codes as its first convolution. First and last layers have 8-bit
weights, the image and everything between the last ReLU and the last layer 8-bit codes.
"""

from __future__ import annotations

from aquant_ref.errors import InputError
from aquant_ref.model.quantized_model import PASSES_CODES
from aquant_ref.nn.graph import INPUT, Block, Graph
from aquant_ref.nn.operations import Node

UNITS = ("block", "layer")
ACTIVATIONS = ("relu", "relu6")
LAYERS = ("conv2d", "linear")
SUMS = (*LAYERS, "add")
BOUNDARY_BITS = 8


def layers(graph: Graph) -> tuple[str, ...]:
    """Names of the nodes that have weights."""
    return tuple(node.name for node in graph.nodes if node.op in LAYERS)


def boundary_layers(graph: Graph) -> frozenset[str]:
    """The layers that read the image and the layer whose output is the network's."""
    first = {node.name for node in graph.consumers(INPUT) if node.op in LAYERS}
    return frozenset(first | {graph.output})


def quantized_tensors(graph: Graph) -> tuple[str, ...]:
    """Tensors that are stored as codes, in order: all but those that continue inside one integer
    sum.

    A layer's output, and that of an add, goes on unrounded into a ReLU, an add or a concat, unless
    something else reads it as well. A concat and a requantize have a quantizer of their own.
    """
    stored = [INPUT]
    for node in graph.nodes:
        readers = graph.consumers(node.name)
        continues = (
            node.op in SUMS
            and len(readers) == 1
            and readers[0].op in (*ACTIVATIONS, "add", "concat")
        )
        if readers and not continues and node.op not in PASSES_CODES:
            stored.append(node.name)
    return tuple(stored)


def _towards_output(graph: Graph, name: str) -> set[str]:
    """The tensors on the way back from `name` to the first ReLUs or layers, those included."""
    found, waiting = set[str](), [name]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name != INPUT and (node := graph.node(name)).op not in (*SUMS, *ACTIVATIONS):
            waiting += node.inputs
    return found


def boundary_tensors(graph: Graph) -> frozenset[str]:
    """The image and what the last layer reads, back to the ReLU before the pool."""
    last = graph.node(graph.output).inputs[0]
    return frozenset(({INPUT} | _towards_output(graph, last)) & set(quantized_tensors(graph)))


def layer_bits(graph: Graph, bits: int) -> dict[str, int]:
    """Bits of each layer's weights."""
    boundary = boundary_layers(graph)
    return {name: BOUNDARY_BITS if name in boundary else bits for name in layers(graph)}


def tensor_bits(graph: Graph, bits: int) -> dict[str, int]:
    """Bits of each quantized tensor."""
    boundary = boundary_tensors(graph)
    return {n: BOUNDARY_BITS if n in boundary else bits for n in quantized_tensors(graph)}


def units(graph: Graph, kind: str) -> tuple[Block, ...]:
    """What is reconstructed together: the named blocks, or each layer with the ReLU after it."""
    if kind == "block":
        return graph.blocks()
    groups: list[list[Node]] = []
    for node in graph.nodes:
        before = groups[-1][-1].name if groups else ""
        alone = node.inputs == (before,) and graph.consumers(before) == (node,)
        if node.op in ACTIVATIONS and alone:
            groups[-1].append(node)
        else:
            groups.append([node])
    return tuple(Block.of(group[0].name, group) for group in groups)


def check_blocks(graph: Graph) -> None:
    """Raise InputError, which names the block, where a later one reads a tensor inside of it: what
    is learned together has one output, its last tensor.
    """
    for block in graph.blocks():
        own = {node.name for node in block.nodes}
        for node in block.nodes[:-1]:
            if not own >= {reader.name for reader in graph.consumers(node.name)}:
                raise InputError(
                    f"block {block.name!r}: its tensor {node.name} is read outside of it; only its "
                    f"last one, {block.output}, can be"
                )
