"""A network with all that a method meets: shortcuts, depthwise convolution, ReLU6, a zero point.

And one whose branches meet in a concat.
"""

from __future__ import annotations

import numpy as np

from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.training.train import initial_parameters
from aquant_ref.ptq import Config

INNER = ("body.conv1", "body.conv2", "inverted.expand", "inverted.depth", "inverted.project")
CONFIG = Config(iterations=5, batch=8)


def stem_and_body(layer: Builder) -> str:
    with layer.block("stem"):
        x = layer("conv", "conv2d", INPUT, channels=4, kernel=3, padding=1)
        x = layer("relu", "relu", x)
    with layer.block("body"):
        y = layer("conv1", "conv2d", x, channels=4, kernel=3, padding=1)
        y = layer("conv2", "conv2d", layer("relu1", "relu", y), channels=4, kernel=3, padding=1)
        return layer("relu2", "relu", layer("add", "add", y, x))


def head(layer: Builder, x: str) -> Graph:
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("pool", "global_avg_pool", x))
        layer("linear", "linear", x, channels=3)
    return layer.graph()


def graph() -> Graph:
    layer = Builder((2, 5, 6))
    x = stem_and_body(layer)
    with layer.block("inverted"):
        y = layer("expand", "conv2d", x, channels=6, kernel=1)
        y = layer("depth", "conv2d", layer("relu6a", "relu6", y), channels=6, kernel=3, groups=6)
        y = layer("project", "conv2d", layer("relu6b", "relu6", y), channels=4, kernel=1)
    with layer.block("tail"):
        x = layer("relu", "relu", layer("conv", "conv2d", y, channels=4, kernel=3, padding=1))
    return head(layer, x)


def branching_graph() -> Graph:
    """Two branches of other strides and dilations, joined; an add behind the concat."""
    layer = Builder((2, 5, 6))
    with layer.block("stem"):
        x = layer("relu", "relu", layer("conv", "conv2d", INPUT, channels=4, kernel=3, padding=1))
    with layer.block("body"):
        one = layer("conv1", "conv2d", x, channels=2, kernel=3, padding=2, dilation=2)
        one = layer("relu1", "relu", one)
        two = layer("mean", "avg_pool", x, kernel=2, stride=1, padding=((1, 0), (0, 1)))
        three = layer("conv2", "conv2d", x, channels=2, kernel=1)
        joined = layer("concat", "concat", one, two, three)
        y = layer("conv3", "conv2d", joined, channels=8, kernel=(1, 2), padding=(0, (1, 0)))
        x = layer("relu2", "relu", layer("add", "add", y, joined))
    with layer.block("tail"):
        x = layer("code", "requantize", x)
        x = layer("relu", "relu", layer("conv", "conv2d", x, channels=3, kernel=3))
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("pool", "max_pool", x, kernel=2))
        layer("linear", "linear", x, channels=3)
    return layer.graph()


def parameters(of: Graph | None = None) -> dict[str, np.ndarray]:
    """Weights and biases of a graph, by default the one above."""
    draw = np.random.default_rng(1)
    return {
        name: w if name.endswith("weight") else (0.1 * draw.standard_normal(w.shape)).astype("f4")
        for name, w in initial_parameters(of or graph(), 1).items()
    }


def images(count: int = 24) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, 2, 5, 6)).astype(np.uint8)


def same(a: QuantizedModel, b: QuantizedModel) -> bool:
    """Whether two models are equal to the last bit."""
    assert a.layers.keys() == b.layers.keys()
    assert a.tensors.keys() == b.tensors.keys()
    assert not a.windows
    assert not b.windows
    layers = all(
        getattr(a.layers[n], part).tobytes() == getattr(b.layers[n], part).tobytes()
        for n in a.layers
        for part in ("codes", "zero_point", "unit", "bias")
    )
    return layers and all(
        (one.scale, one.zero_point) == (two.scale, two.zero_point)
        and bool((one.crossings == two.crossings).all())  # one row, or the same for each channel
        for one, two in ((a.tensors[n], b.tensors[n]) for n in a.tensors)
    )
