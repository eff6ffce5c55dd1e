"""ResNet-8 for 32x32 images (the network of MLPerf Tiny's image classification).

A 3x3 convolution, three residual stacks of two 3x3 convolutions with 16, 32 and 64 channels, a mean
over the 8x8 positions and a linear layer. From the second stack on the first convolution has stride
2 and the shortcut is a 1x1 convolution of stride 2. Batch norm follows each 3x3 convolution, ReLU
each add; input is uint8 codes / 255, so a padded pixel is exactly the code 0.
"""

from __future__ import annotations

from aquant_ref.nn.graph import INPUT, Builder, Graph

STACKS = ((16, 1), (32, 2), (64, 2))  # channels, stride


def build(classes: int = 10) -> Graph:
    """Return the graph, with the blocks stem, stack1, stack2, stack3 and head."""
    layer = Builder((3, 32, 32))

    def conv_norm(name: str, x: str, channels: int, stride: int) -> str:
        conv = layer(
            name, "conv2d", x, channels=channels, kernel=3, stride=stride, padding=1, bias=False
        )
        return layer(f"{name}_norm", "batch_norm", conv)

    with layer.block("stem"):
        x = layer("relu", "relu", conv_norm("conv", INPUT, 16, 1))
    for number, (channels, stride) in enumerate(STACKS, 1):
        with layer.block(f"stack{number}"):
            y = layer("relu1", "relu", conv_norm("conv1", x, channels, stride))
            y = conv_norm("conv2", y, channels, 1)
            if stride != 1:
                x = layer("shortcut", "conv2d", x, channels=channels, kernel=1, stride=stride)
            x = layer("relu2", "relu", layer("add", "add", y, x))
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("pool", "global_avg_pool", x))
        layer("linear", "linear", x, channels=classes)
    return layer.graph()
