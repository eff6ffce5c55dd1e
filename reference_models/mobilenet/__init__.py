"""A small MobileNetV2 for 32x32 images: depthwise convolutions, ReLU6, inverted residuals.

A 3x3 convolution, six inverted residuals (Sandler et al., 2018), a 1x1 convolution, a mean over the
8x8 positions and a linear layer. An inverted residual widens its input with a 1x1 convolution,
filters each channel by itself with a 3x3 one, and narrows the result with a 1x1 convolution that no
ReLU follows, so that its output has both signs. Where stride is 1 and the channels stay, the input
is added. Batch norm follows each convolution; input is uint8 codes / 255, so a padded pixel is
exactly the code 0.
"""

from __future__ import annotations

from aquant_ref.nn.graph import INPUT, Builder, Graph

STEM, LAST = 16, 160
RESIDUALS = (  # channels, stride, how many times wider it is inside
    (24, 2, 1),
    (24, 1, 3),
    (40, 2, 3),
    (40, 1, 4),
    (64, 1, 4),
    (64, 1, 3),
)


def build(classes: int = 10) -> Graph:
    """Return the graph, with the blocks stem, residual1 to residual6, last and head."""
    layer = Builder((3, 32, 32))

    def conv_norm(
        name: str, x: str, channels: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> str:
        conv = layer(
            name,
            "conv2d",
            x,
            channels=channels,
            kernel=kernel,
            stride=stride,
            padding=kernel // 2,
            groups=groups,
            bias=False,
        )
        return layer(f"{name}_norm", "batch_norm", conv)

    with layer.block("stem"):
        x = layer("relu", "relu6", conv_norm("conv", INPUT, STEM, kernel=3))
    before = STEM
    for number, (channels, stride, factor) in enumerate(RESIDUALS, 1):
        inside = factor * before
        with layer.block(f"residual{number}"):
            y = x
            if factor != 1:
                y = layer("relu1", "relu6", conv_norm("widen", y, inside))
            y = conv_norm("depthwise", y, inside, kernel=3, stride=stride, groups=inside)
            y = conv_norm("narrow", layer("relu2", "relu6", y), channels)
            x = layer("add", "add", y, x) if (channels, stride) == (before, 1) else y
        before = channels
    with layer.block("last"):
        x = layer("relu", "relu6", conv_norm("conv", x, LAST))
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("pool", "global_avg_pool", x))
        layer("linear", "linear", x, channels=classes)
    return layer.graph()
