"""ResNet-18 for ImageNet, with weights from a checkpoint that has torchvision's names.

A 7x7 convolution of stride 2 and a 3x3 maximum, four stages of two basic blocks with 64, 128, 256
and 512 channels, a mean over all positions and a linear layer (He et al., 2015, as torchvision has
it). A basic block is two 3x3 convolutions whose result is added to its input; where it halves the
image, the first of them has stride 2 and the input goes through a 1x1 convolution of stride 2.
Batch norm follows each convolution.

Such networks are trained on (x/255 - mean)/std, padded with zeros after that, and no pixel code
stands for such a zero. Here the real input is (x - z)/255 with z = round(255*mean), a pixel code
for each channel, and a padded pixel is the code z [D]. `fold_normalisation` puts the rest, exactly,
into the weights of the first convolution and the running mean after it. So only outputs of that
convolution that meet padding differ from torchvision's, by what half a code in each padded pixel
makes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.formats.tensors import check_tensors
from aquant_ref.nn.fold import fold_normalisation
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.typing import Array, Reals

CLASSES, SIDE = 1000, 224
STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # channels, stride

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
ZERO = (124, 116, 104)  # round(255*mean)

# Our names -> torchvision's. Its block layer2.0 is our layer2_0, as a dot ends our block's name.
LAYERS = {
    "stem.conv": "conv1",
    "stem.conv_norm": "bn1",
    "head.linear": "fc",
    "conv1": "conv1",
    "conv1_norm": "bn1",
    "conv2": "conv2",
    "conv2_norm": "bn2",
    "shortcut": "downsample.0",
    "shortcut_norm": "downsample.1",
}
STATISTICS = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}


def build(classes: int = CLASSES, side: int = SIDE) -> Graph:
    """Return the graph, with the blocks stem, layer1_0, layer1_1 to layer4_1 and head."""
    layer = Builder((3, side, side), zero=ZERO)

    def conv_norm(name: str, x: str, channels: int, *, kernel: int = 3, stride: int = 1) -> str:
        conv = layer(
            name,
            "conv2d",
            x,
            channels=channels,
            kernel=kernel,
            stride=stride,
            padding=kernel // 2,
            bias=False,
        )
        return layer(f"{name}_norm", "batch_norm", conv)

    with layer.block("stem"):
        x = layer("relu", "relu", conv_norm("conv", INPUT, 64, kernel=7, stride=2))
        x = layer("pool", "max_pool", x, kernel=3, stride=2, padding=1)
    before = 64
    for number, (channels, first) in enumerate(STAGES, 1):
        for index, stride in enumerate((first, 1)):
            with layer.block(f"layer{number}_{index}"):
                y = layer("relu1", "relu", conv_norm("conv1", x, channels, stride=stride))
                y = conv_norm("conv2", y, channels)
                if (channels, stride) != (before, 1):
                    x = conv_norm("shortcut", x, channels, kernel=1, stride=stride)
                x = layer("relu2", "relu", layer("add", "add", y, x))
            before = channels
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("pool", "global_avg_pool", x))
        layer("linear", "linear", x, channels=classes)
    return layer.graph()


def torchvision_name(parameter: str) -> str:
    """Return what torchvision calls our parameter; no two share a name.

    >>> torchvision_name("layer2_0.shortcut_norm.mean")
    'layer2.0.downsample.1.running_mean'
    """
    block, layer, name = parameter.split(".")
    prefix = f"{block.replace('_', '.')}." if block.startswith("layer") else ""
    theirs = LAYERS[layer if prefix else f"{block}.{layer}"]
    return f"{prefix}{theirs}.{STATISTICS.get(name, name)}"


def convert(tensors: Mapping[str, Array], side: int = SIDE) -> tuple[Graph, dict[str, Reals]]:
    """Return graph and parameters of a state dict of torchvision, in its dtypes.

    The number of classes is that of `fc.bias`; `num_batches_tracked` is ignored. Raises InputError,
    which names the tensor, unless the tensors are those of a ResNet-18.
    """
    tensors = {n: t for n, t in tensors.items() if not n.endswith(".num_batches_tracked")}
    classes = tensors["fc.bias"].size if "fc.bias" in tensors else 0
    graph = build(classes or CLASSES, side)
    theirs = {name: torchvision_name(name) for name in graph.parameter_shapes}
    check_tensors(tensors, {theirs[name]: s for name, s in graph.parameter_shapes.items()})
    parameters = {name: tensors[theirs[name]] for name in graph.parameter_shapes}
    for name, parameter in parameters.items():
        if name.endswith(".variance") and parameter.min() < 0:
            raise InputError(f"tensor {theirs[name]!r} holds a variance below 0")
    return graph, {**parameters, **_with_normalisation(graph, parameters)}


def _with_normalisation(graph: Graph, parameters: Mapping[str, Reals]) -> dict[str, Reals]:
    """Return the first weights and running mean of a network that reads (x - z)/255.

    The running mean takes up the bias, which torchvision's convolutions do not have.
    """
    wide = {name: values.astype(np.float64) for name, values in parameters.items()}
    _, folded = fold_normalisation(graph, wide, mean=MEAN, std=STD)
    weight, mean = folded["stem.conv.weight"], wide["stem.conv_norm.mean"]
    return {
        "stem.conv.weight": weight.astype(parameters["stem.conv.weight"].dtype),
        "stem.conv_norm.mean": (mean - folded["stem.conv.bias"]).astype(
            parameters["stem.conv_norm.mean"].dtype
        ),
    }
