"""Batch norm folding: the affine map of inference moves into the convolution before it.

w' = w * gamma / sqrt(variance + eps)        b' = beta + (b - mean) * gamma / sqrt(variance + eps)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.nn.graph import INPUT, Array, Graph, Parameters
from aquant_ref.nn.operations import Node


def fold_batch_norm(graph: Graph, parameters: Parameters) -> tuple[Graph, dict[str, Array]]:
    """The same function without batch norm nodes: (graph, parameters), every convolution with a
    bias.

    Computed in float64, returned in the dtype of the weights. Raises InputError for parameters
    that are missing or do not fit, and where a batch norm does not follow a convolution that it
    alone reads.
    """
    graph.check_parameters(parameters)
    folded = dict(parameters)
    renamed: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        if node.op == "batch_norm":
            _fold(graph, folded, node)
            renamed[node.name] = node.inputs[0]
        elif node.op == "conv2d":
            nodes.append(replace(node, attributes={**node.attributes, "bias": True}))
        else:
            nodes.append(node)
    nodes = [
        replace(node, inputs=tuple(renamed.get(name, name) for name in node.inputs))
        for node in nodes
    ]
    result = Graph(graph.shapes[INPUT], nodes, graph.zero)
    for name, shape in result.parameter_shapes.items():
        if name not in folded:  # a convolution that had no bias and no batch norm after it
            weight = folded[name.removesuffix("bias") + "weight"]
            folded[name] = np.zeros(shape, weight.dtype)
    return result, {name: folded[name] for name in result.parameter_shapes}


def _fold(graph: Graph, parameters: dict[str, Array], node: Node) -> None:
    norm, conv = node.name, node.inputs[0]
    if conv == INPUT or graph.node(conv).op != "conv2d" or len(graph.consumers(conv)) != 1:
        raise InputError(
            f"{norm}: follows {conv!r}, which is not a convolution that it alone reads"
        )
    gamma, beta, mean, variance = (
        parameters.pop(f"{norm}.{name}").astype(np.float64)
        for name in ("gamma", "beta", "mean", "variance")
    )
    weight = parameters[f"{conv}.weight"]
    bias = parameters.get(f"{conv}.bias", np.zeros(len(weight)))
    factor = gamma / np.sqrt(variance + node["eps"])
    parameters[f"{conv}.weight"] = np.asarray(weight * factor[:, None, None, None], weight.dtype)
    parameters[f"{conv}.bias"] = np.asarray(beta + (bias - mean) * factor, weight.dtype)
