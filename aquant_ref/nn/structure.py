"""Check that a graph, whatever its weights, can be quantized, saved and lowered.

`ptq` checks before it starts; a quantized model is checked when it is saved, loaded and lowered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aquant_ref.errors import InputError

if TYPE_CHECKING:
    from aquant_ref.nn.graph import Graph


def check_structure(graph: Graph) -> None:
    """Raise InputError, which names the node, unless the graph has the required structure.

    Its one output is the logits of a linear layer, its batch norm is folded, and all its layers
    have a bias.
    """
    last = graph.node(graph.output)
    for node in graph.nodes:
        if node.op == "batch_norm":
            raise InputError(f"{node.name}: batch norm is not folded; `fold` does that")
        if node.op == "conv2d" and not node["bias"]:
            raise InputError(f"{node.name}: has no bias; `fold` gives every convolution one")
    if last.op != "linear":
        raise InputError(f"{last.name}: is {last.op}; the last node must be linear")
    for node in graph.nodes[:-1]:
        if not graph.consumers(node.name):
            raise InputError(f"{node.name}: nothing reads it; the one output is the last node")
