"""Small networks that somebody could build by hand, most of them odd: `WORKS` can be quantized,
`REFUSED` cannot, and says why.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.training.train import initial_parameters

Write = Callable[[Builder], None]
SHAPE = (2, 3, 4)
WORKS: dict[str, Write] = {}
REFUSED: dict[str, tuple[str, Write]] = {}


def works(write: Write) -> Write:
    WORKS[write.__name__] = write
    return write


def refused(why: str) -> Callable[[Write], Write]:
    def keep(write: Write) -> Write:
        REFUSED[write.__name__] = why, write
        return write

    return keep


def graph(write: Write) -> Graph:
    layer = Builder(SHAPE)
    write(layer)
    return layer.graph()


def parameters(of: Graph) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(1)
    return {
        name: w if name.endswith("weight") else (0.1 * draw.standard_normal(w.shape)).astype("f4")
        for name, w in initial_parameters(of, 1).items()
    }


def images(count: int = 6) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, *SHAPE)).astype(np.uint8)


def conv(layer: Builder, name: str, x: str, channels: int = 3, act: str = "relu") -> str:
    x = layer(name, "conv2d", x, channels=channels, kernel=3, padding=1)
    return layer(f"{name}_act", act, x) if act else x


def head(layer: Builder, x: str, name: str = "head") -> str:
    with layer.block(name):
        x = layer("flatten", "flatten", layer("pool", "global_avg_pool", x))
        return layer("linear", "linear", x, channels=3)


def stem(layer: Builder) -> str:
    with layer.block("stem"):
        return conv(layer, "conv", INPUT)


@works
def a_hidden_linear_layer(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("dense"):
        x = layer("linear1", "linear", layer("flatten", "flatten", x), channels=6)
        x = layer("relu1", "relu", x)
        x = layer("relu2", "relu6", layer("linear2", "linear", x, channels=4))
    with layer.block("head"):
        layer("linear", "linear", x, channels=3)


@works
def a_hidden_linear_layer_without_relu(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("dense"):
        x = layer("linear1", "linear", layer("flatten", "flatten", x), channels=4)
    with layer.block("head"):
        layer("linear", "linear", x, channels=3)


@works
def a_residual_of_linear_layers(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("dense"):
        x = layer("relu", "relu", layer("in", "linear", layer("f", "flatten", x), channels=4))
        y = layer("again", "linear", x, channels=4)
        x = layer("relu2", "relu", layer("add", "add", x, y))
    with layer.block("head"):
        layer("linear", "linear", x, channels=3)


@works
def a_gate_of_two_convolutions(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("gate"):
        x = layer("mul", "mul", conv(layer, "one", x, act="relu6"), conv(layer, "two", x, act=""))
        x = layer("relu", "relu", x)
    head(layer, x)


@works
def leaky_convolutions_and_a_leaky_sum(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("body"):
        y = conv(layer, "one", x, act="leaky_relu")
        y = layer("add", "add", conv(layer, "two", y, act=""), x)
        x = layer("leaky", "leaky_relu", y, alpha=0.3)
    head(layer, x)


@works
def one_linear_layer(layer: Builder) -> None:
    with layer.block("all"):
        layer("linear", "linear", layer("flatten", "flatten", INPUT), channels=3)


@works
def two_linear_layers(layer: Builder) -> None:
    with layer.block("all"):
        x = layer("linear1", "linear", layer("flatten", "flatten", INPUT), channels=4)
        layer("linear2", "linear", x, channels=3)


@works
def nothing_but_a_pool_and_a_head(layer: Builder) -> None:
    head(layer, INPUT)


@works
def one_block(layer: Builder) -> None:
    with layer.block("all"):
        x = conv(layer, "two", conv(layer, "one", INPUT))
        layer("linear", "linear", layer("flatten", "flatten", x), channels=3)


@works
def no_block(layer: Builder) -> None:
    x = conv(layer, "two", conv(layer, "one", INPUT))
    layer("linear", "linear", layer("flatten", "flatten", x), channels=3)


@works
def nodes_outside_any_block_before_and_after_one(layer: Builder) -> None:
    x = conv(layer, "one", INPUT)
    with layer.block("body"):
        x = conv(layer, "two", x)
    x = conv(layer, "three", x)
    layer("linear", "linear", layer("flatten", "flatten", x), channels=3)


@works
def two_activations_in_a_row(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("body"):
        x = layer("again", "relu6", layer("relu", "relu", conv(layer, "conv", x)))
    head(layer, x)


@works
def an_activation_of_the_image(layer: Builder) -> None:
    with layer.block("stem"):
        x = conv(layer, "conv", layer("relu", "relu", INPUT))
    with layer.block("body"):
        x = conv(layer, "conv", x)
    head(layer, x)


@works
def an_activation_of_pools_and_of_what_is_flat(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("body"):
        x = layer("act", "relu", layer("max", "max_pool", conv(layer, "conv", x), kernel=2))
        x = layer("act2", "relu", layer("mean", "avg_pool", x, kernel=(1, 2), stride=1))
    with layer.block("head"):
        x = layer("act", "relu6", layer("flatten", "flatten", x))
        layer("linear", "linear", x, channels=3)


@works
def a_layer_that_no_activation_follows(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("body"):
        x = conv(layer, "two", conv(layer, "one", x, act=""), act="")
    head(layer, x)


@works
def flattened_twice(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("head"):
        x = layer("again", "flatten", layer("flatten", "flatten", x))
        layer("linear", "linear", x, channels=3)


@works
def several_layers_that_read_the_image(layer: Builder) -> None:
    with layer.block("stem"):
        x = layer("cat", "concat", conv(layer, "one", INPUT), conv(layer, "two", INPUT), INPUT)
    with layer.block("body"):
        x = layer("add", "add", conv(layer, "three", x, act=""), conv(layer, "four", INPUT, act=""))
        x = layer("relu", "relu", x)
    head(layer, x)


@works
def an_inner_tensor_read_twice(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("body"):
        one = conv(layer, "one", x, act="")
        x = layer("add", "add", layer("relu", "relu", one), conv(layer, "two", one, act=""))
        x = layer("relu2", "relu", x)
    head(layer, x)


@works
def a_tensor_added_to_itself(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("body"):
        x = layer("relu", "relu", layer("add", "add", x, x))
        x = conv(layer, "conv", x)
    head(layer, x)


@works
def an_add_of_two_stored_tensors(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("body"):
        x = layer("add", "add", conv(layer, "one", x), conv(layer, "two", x, act="relu6"))
    head(layer, x)


@works
def an_add_of_the_image(layer: Builder) -> None:
    with layer.block("stem"):
        x = layer("relu", "relu", layer("add", "add", conv(layer, "c", INPUT, 2, act=""), INPUT))
    with layer.block("body"):
        x = conv(layer, "conv", x)
    head(layer, x)


@works
def a_concat_with_itself(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("body"):
        x = conv(layer, "conv", layer("cat", "concat", x, x, x))
    head(layer, x)


@works
def a_convolution_over_a_pool_of_the_image(layer: Builder) -> None:
    with layer.block("stem"):
        x = conv(layer, "conv", layer("pool", "max_pool", INPUT, kernel=2))
    with layer.block("body"):
        x = conv(layer, "conv", x)
    head(layer, x)


@works
def one_pixel_and_one_channel(layer: Builder) -> None:
    with layer.block("stem"):
        x = layer("pool", "global_avg_pool", INPUT)
        x = layer("relu", "relu", layer("conv", "conv2d", x, channels=1, kernel=1))
    with layer.block("body"):
        x = layer("relu", "relu", layer("conv", "conv2d", x, channels=1, kernel=1))
    with layer.block("head"):
        layer("linear", "linear", layer("flatten", "flatten", x), channels=1)


@works
def requantized_in_a_row(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("body"):
        x = layer("again", "requantize", layer("code", "requantize", x))
        x = conv(layer, "conv", x)
    head(layer, x)


@refused(r"^pool\.pool: .*last")
def ends_in_a_pool(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("pool"):
        layer("pool", "global_avg_pool", x)


@refused(r"^body\.conv: .*last")
def ends_in_a_convolution(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("body"):
        conv(layer, "conv", x, act="")


@refused(r"^head\.relu: .*last")
def ends_in_an_activation(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("head"):
        x = layer("linear", "linear", layer("flatten", "flatten", x), channels=3)
        layer("relu", "relu", x)


@refused(r"^stem\.conv: has no bias.*`fold`")
def a_convolution_without_bias(layer: Builder) -> None:
    with layer.block("stem"):
        x = layer("conv", "conv2d", INPUT, channels=3, kernel=1, bias=False)
        x = layer("relu", "relu", x)
    head(layer, x)


@refused(r"^stem\.norm: .*`fold`")
def unfolded_batch_norm(layer: Builder) -> None:
    with layer.block("stem"):
        x = layer("conv", "conv2d", INPUT, channels=3, kernel=1)
        x = layer("relu", "relu", layer("norm", "batch_norm", x))
    head(layer, x)


def a_convolution_that_reads_what_leads_to_the_last_layer(layer: Builder) -> None:
    """Works, but for borders that round in windows."""
    x = stem(layer)
    with layer.block("body"):
        one = conv(layer, "one", x)
        x = layer("cat", "concat", one, conv(layer, "two", one))
    head(layer, x)


WORKS["read_by_the_head"] = a_convolution_that_reads_what_leads_to_the_last_layer


@refused(r"^head\.linear: nothing reads it")
def two_heads(layer: Builder) -> None:
    x = stem(layer)
    head(layer, x)
    head(layer, x, "second")


@refused(r"^body\.conv_act: nothing reads it")
def a_branch_that_ends(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("body"):
        conv(layer, "conv", x)
    head(layer, x)


@refused(r"^body\.add: neither")
def an_add_of_a_mean_and_a_shared_sum(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("body"):
        total = layer("sum", "add", conv(layer, "one", x, act=""), conv(layer, "two", x, act=""))
        other = layer("sum2", "add", conv(layer, "three", x, act=""), x)
        x = layer("relu", "relu", layer("add", "add", total, other))
    head(layer, x)


@refused(r"block 'body': .*body\.one_act.*read outside")
def a_tensor_inside_a_block_that_another_reads(layer: Builder) -> None:
    x = stem(layer)
    with layer.block("body"):
        inner = conv(layer, "one", x)
        x = conv(layer, "two", inner)
    with layer.block("tail"):
        x = layer("cat", "concat", x, inner)
        x = conv(layer, "conv", x)
    head(layer, x)
