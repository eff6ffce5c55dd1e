"""Networks with dead parts, quantized from floating point as pruned networks are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.graph import Graph
from aquant_ref.ptq import Config, quantize_with
from aquant_ref.ptq.placement import layers
from tests.engine import graphs

BIASES = (0.0, 0.5, -0.5, 1e-12, 3.0, -1e3, 2000.0)
LOGITS = 5  # as many of them may be the bias of a logit, whose unit other logits have too


@cache
def dead_model(seed: int, *, leaky: bool = False) -> QuantizedModel:
    """A random graph of which channels, whole layers, and with them tensors and branches are dead.

    A channel is dead by its weights, all zero, or by a bias far below what its ReLU lets through.
    """
    rng = np.random.default_rng(seed)
    graph = graphs.random_graph(rng, np.random.default_rng(seed) if leaky else None)
    parameters = draw(rng, graph)
    for name in layers(graph):
        kind = rng.integers(5)
        if kind < 4:
            biases = BIASES[:LOGITS] if name == graph.output else BIASES
            kill(rng, parameters, name, whole=kind == 0, weights=kind < 3, biases=biases)
    images = rng.integers(0, 256, (2, *graph.shapes["image"])).astype(np.uint8)
    bits = (int(rng.integers(1, 9)), int(rng.integers(1, 9)))
    config = Config("rtn", *bits, signed=bool(rng.integers(2)))
    return quantize_with(graph, parameters, images, config)


def draw(rng: np.random.Generator, graph: Graph) -> dict[str, np.ndarray]:
    """Weights that keep activations at about 1, and biases of tenths."""
    parameters = {}
    for name, shape in graph.parameter_shapes.items():
        rows = np.prod(shape[1:]) if name.endswith("weight") else 100
        parameters[name] = (rng.standard_normal(shape) / np.sqrt(rows)).astype(np.float32)
    return parameters


def kill(
    rng: np.random.Generator,
    parameters: dict[str, np.ndarray],
    name: str,
    *,
    whole: bool,
    weights: bool,
    biases: Sequence[float],
) -> None:
    """Make all or some channels of layer `name` zero, or, with their weights, very negative."""
    weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
    dead = np.full(len(weight), True) if whole else rng.random(len(weight)) < 0.5
    if weights:
        weight[dead] = 0 if rng.random() < 0.8 else 1e-12
        bias[dead] = rng.choice(biases, dead.sum())
    else:
        bias[dead] = min(biases) - 1
