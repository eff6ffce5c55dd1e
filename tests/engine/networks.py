"""Small random quantized networks, made to be hard: unequal scales, odd zero points, non-square."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace

import numpy as np

from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.model.quantizers import QuantizedTensor
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.ptq.adaround import nearest_codes
from aquant_ref.ptq.border_spec import ALL_DIRECTIONS
from aquant_ref.ptq.network import LearnedNetwork, LearnedTensor, LearnedWindow
from aquant_ref.ptq.observers import WeightScale
from aquant_ref.ptq.placement import layers, quantized_tensors
from aquant_ref.ptq.snap import snap
from aquant_ref.quant.window import WideCodes


def residual_network(
    seed: int,
    *,
    weight_bits: int = 2,
    act_bits: int = 2,
    stride: int = 1,
    groups: int = 1,
    size: tuple[int, int] = (4, 3),
    shortcut: bool = True,
    pool: bool = False,
    border: bool = True,
    relu: str = "relu",
    signed: bool = False,
    zero: tuple[int, int] = (0, 0),
    windows: str = "",
) -> QuantizedModel:
    """Stem, one residual block, optional max pool, mean, linear; everything drawn from `seed`.

    `signed`: no ReLU between the convolutions of the block, so that its codes have a zero point.
    `zero` is that of the image. `windows` is "", "row", "fused", "feedback" or "rounding", the
    withdrawn feedback: how the block's convolutions round what they read.
    """
    rng = np.random.default_rng(seed)
    layer = Builder((2, *size), zero)
    with layer.block("stem"):
        x = layer("conv", "conv2d", INPUT, channels=4, kernel=(3, 2), padding=(1, 0))
        x = layer("relu", relu, x)
    with layer.block("body"):
        if pool:
            x = layer("pool", "max_pool", x, kernel=2, stride=1, padding=(1, 0))
        y = layer(
            "conv1",
            "conv2d",
            x,
            channels=4,
            kernel=3,
            stride=(stride, 1),
            padding=1,
            groups=groups,
        )
        y = y if signed else layer("relu1", relu, y)
        y = layer("conv2", "conv2d", y, channels=4, kernel=1)
        if shortcut or stride != 1:
            x = layer("shortcut", "conv2d", x, channels=4, kernel=1, stride=(stride, 1))
        x = layer("relu2", "relu", layer("add", "add", x, y))
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("mean", "global_avg_pool", x))
        layer("linear", "linear", x, channels=3)
    graph = layer.graph()

    tensors = {INPUT: LearnedTensor(1 / 255, 8)}
    for name, bits in {
        "stem.relu": act_bits,
        "body.pool": act_bits,
        "body.relu1": act_bits,
        "body.conv1": act_bits,
        "body.relu2": 8,
        "head.mean": 8,
    }.items():
        if name in quantized_tensors(graph):
            coefficients = rng.uniform(-0.3, 0.3, (4, 3)).astype(np.float32)
            own = border and bits != 8 and not windows
            top = 8 if relu == "relu6" else 2  # beyond and below 6
            scale = float(rng.uniform(0.25 * top, top)) / (2**bits - 1)
            zero_point = int(rng.integers(0, 2**bits)) if name == "body.conv1" else 0
            squash = ("sigmoid", "clip")[int(rng.integers(2))]
            tensors[name] = LearnedTensor(
                scale, bits, zero_point, coefficients if own else None, squash
            )
    ends = ("stem.conv", "head.linear")
    parameters, scales, codes = draw_layers(
        rng, graph, lambda name: 8 if name in ends else weight_bits, shared=("head.linear",)
    )
    network = LearnedNetwork(graph, parameters, scales, codes, tensors)
    for name in ("body.conv1", "body.conv2", "body.shortcut") if windows else ():
        if name in graph.shapes:
            network.windows[name] = _window(rng, graph.parameter_shapes[f"{name}.weight"], windows)
    if windows == "feedback":
        for name in network.read_in_windows():
            network.tensors[name] = replace(
                network.tensors[name], wide=_wide(rng, network.tensors[name])
            )
    return snap(network, {"seed": seed})


def draw_layers(
    rng: np.random.Generator,
    graph: Graph,
    bits_of: Callable[[str], int],
    *,
    shared: Container[str],
    powers_of_two: bool = False,
) -> tuple[dict[str, np.ndarray], dict[str, WeightScale], dict[str, np.ndarray]]:
    """Parameters, weight scales and weight codes; one scale for all outputs of `shared` layers."""
    parameters, scales, codes = {}, {}, {}
    for name in layers(graph):
        for part in ("weight", "bias"):
            shape = graph.parameter_shapes[f"{name}.{part}"]
            parameters[f"{name}.{part}"] = rng.standard_normal(shape).astype(np.float32)
        weight = parameters[f"{name}.weight"]
        bits = bits_of(name)
        scale = rng.uniform(0.5, 2, len(weight)) / (2**bits - 1)
        if powers_of_two:
            scale = np.exp2(np.rint(np.log2(scale)))
        if name in shared:
            scale[:] = scale[0]
        zero_point = rng.integers(0, 2**bits, len(weight)).astype(np.int32)
        scales[name] = WeightScale(scale, zero_point, bits)
        codes[name] = nearest_codes(weight, scales[name])
    return parameters, scales, codes


def _window(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> LearnedWindow:
    rows = 4 * shape[2] * shape[3]
    window = LearnedWindow(
        rng.uniform(-0.3, 0.3, (rows, 3)).astype(np.float32),
        rng.uniform(-0.5, 0.5, (rows, 3)).astype(np.float32) if kind == "fused" else None,
        ("sigmoid", "clip")[int(rng.integers(2))],
    )
    if kind == "rounding":
        return replace(window, feedback=2, errors="rounding")
    if kind == "feedback":  # in some or all directions, over borders of rows or over 1/2
        rank = int(rng.choice([1, 2, ALL_DIRECTIONS]))
        own = window.coefficients if rng.integers(2) else np.zeros((1, 3), np.float32)
        return replace(window, coefficients=own, feedback=rank)
    return window


def _wide(rng: np.random.Generator, tensor: LearnedTensor) -> WideCodes:
    """Any wide codes that hold those of `tensor`."""
    bits = int(rng.integers(1, 9 - tensor.bits))
    beyond = (1 << 8 - bits) - 1 - tensor.qmax
    below = int(rng.integers(beyond + 1)) if tensor.zero_point else 0
    return WideCodes(bits, -tensor.zero_point - below)


def tied_network(seed: int) -> QuantizedModel:
    """One whose body.relu1 has thresholds on accumulators that are common: its unit is half of a
    step, its biases are 0 and its borders 1/2.
    """
    model = residual_network(seed, weight_bits=3, border=False)
    layer, tensor = model.layers["body.conv1"], model.tensors["body.relu1"]
    tied = replace(layer, unit=np.full(4, tensor.scale / 2), bias=np.zeros(4))
    return replace(model, layers={**model.layers, "body.conv1": tied})


def with_signs(model: QuantizedModel, signed: bool = True) -> QuantizedModel:
    """The same quantizers, their codes stored signed, or unsigned; pixels stay as they are."""

    def stored(tensor: QuantizedTensor) -> QuantizedTensor:
        other = replace(tensor, signed=signed)
        return replace(other, zero_point=tensor.zero_point - tensor.qmin + other.qmin)

    tensors = {n: t if n == INPUT else stored(t) for n, t in model.tensors.items()}
    other = replace(model, tensors=tensors)
    other.check()
    return other


def hard_images(model: QuantizedModel, count: int, seed: int = 0) -> np.ndarray:
    """All black, all white, checkered, and random images; uint8."""
    shape = model.graph.shapes[INPUT]
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, *shape)).astype(np.uint8)
    images[0], images[1] = 0, 255
    images[2] = 255 * (np.indices(shape).sum(axis=0) % 2)
    return images


def tied(model: QuantizedModel, fraction_bits: int, seed: int = 0) -> QuantizedModel:
    """`model` with scales and borders of fixed point's ties.

    Units are power-of-two parts of the step that they are rescaled to, biases half units, borders
    quarters.
    """
    rng = np.random.default_rng(seed)
    own, tensors = dict(model.layers), dict(model.tensors)
    for name, layer in own.items():
        if name == model.graph.output:
            continue
        scale = model.stored(model.rounded_into(name)).scale
        exponents = rng.integers(-2, 2, len(layer.unit)) - fraction_bits
        unit = np.ldexp(scale, exponents)
        own[name] = replace(layer, unit=unit, bias=unit * (rng.integers(-9, 9, len(unit)) + 0.5))
    for name, tensor in tensors.items():
        if tensor.coefficients is not None:
            quarters = rng.integers(-1, 2, (len(tensor.coefficients), 1)) / 4
            tensors[name] = replace(tensor, coefficients=quarters, squash="clip")
    return replace(model, layers=own, tensors=tensors)
