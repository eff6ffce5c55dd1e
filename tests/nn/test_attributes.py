"""What an operation does not have, or cannot be so, is refused where a node is made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref import nn
from aquant_ref.errors import InputError
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.operations import OPERATIONS, Node

NEEDED: dict[str, dict[str, Any]] = {
    "conv2d": {"channels": 4, "kernel": 1},
    "linear": {"channels": 4},
    "avg_pool": {"kernel": 2},
    "max_pool": {"kernel": 2},
}


def node(op: str, **attributes: Any) -> Node:
    return Node("body.n", op, ("x",), "body", {**NEEDED.get(op, {}), **attributes})


@pytest.mark.parametrize("op", OPERATIONS)
def test_an_attribute_that_an_operation_does_not_have_is_refused_by_its_name(op: str) -> None:
    with pytest.raises(InputError, match=r"^body\.n: .*no attribute 'foo'.*it has ") as caught:
        node(op, foo=3)
    for attribute in OPERATIONS[op].attributes:
        assert attribute in str(caught.value)


@pytest.mark.parametrize(
    ("op", "wrong", "meant"),
    [
        ("conv2d", "strides", "stride"),
        ("conv2d", "pads", "padding"),
        ("conv2d", "group", "groups"),
        ("conv2d", "dilations", "dilation"),
        ("conv2d", "padding_mode", "padding"),
        ("conv2d", "kernel_size", "kernel"),
        ("avg_pool", "count_include_pad", "count_padding"),
        ("max_pool", "strides", "stride"),
        ("batch_norm", "epsilon", "eps"),
        ("leaky_relu", "alfa", "alpha"),
    ],
)
def test_a_name_of_another_framework_is_answered_with_ours(op: str, wrong: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"'{wrong}'.*did you mean '{meant}'"):
        node(op, **{wrong: 1})


@pytest.mark.parametrize(
    ("op", "attribute"),
    [
        ("max_pool", "ceil_mode"),
        ("relu", "max"),
        ("linear", "bias"),
        ("linear", "groups"),
        ("leaky_relu", "inplace"),
    ],
)
def test_what_was_ignored_is_refused(op: str, attribute: str) -> None:
    with pytest.raises(InputError, match=f"no attribute '{attribute}'"):
        node(op, **{attribute: False})


BAD_PAIRS = (0, -1, 1.0, True, "1", None, (1, 2, 3), (1,), (1, -1), ((1, 1), (1, 1)), {1: 2})
WRONG = {  # of every attribute that some operation has
    "channels": (0, -1, 2.0, True, "4", None, (4, 4), 2**16 + 1),
    "groups": (0, -1, 1.0, True, "1", None, (1, 1), 2**53),
    "kernel": (*BAD_PAIRS, 2**53),
    "stride": BAD_PAIRS[:5] + BAD_PAIRS[6:],  # of a pool it may be None
    "dilation": BAD_PAIRS,
    "padding": (-1, 0.5, False, "same", None, (1, 2, 3), ((1, 1), (1, -1)), 2**53, np.ones(2)),
    "bias": (0, 1, None, "no", np.ones(1, bool)),
    "count_padding": (0, "no", None),
    "alpha": (-0.01, 1.01, float("nan"), float("inf"), "0.1", True, None, (0.1,), np.ones(2), 0.1j),
    "eps": (0, -1e-3, float("nan"), float("inf"), "1e-3", True, None, 10**400, 10**5000),
}


@pytest.mark.parametrize(
    ("op", "attribute", "value"),
    [
        (op, attribute, value)
        for op, operation in OPERATIONS.items()
        for attribute in operation.attributes
        for value in WRONG[attribute]
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else type(value).__name__,
)
def test_an_attribute_that_cannot_be_so_is_refused_with_node_and_name(
    op: str, attribute: str, value: Any
) -> None:
    with pytest.raises(InputError, match=rf"^body\.n: {attribute}: needs .* got "):
        node(op, **{attribute: value})


@pytest.mark.parametrize("op", NEEDED)
def test_an_attribute_that_is_missing_is_asked_for(op: str) -> None:
    with pytest.raises(InputError, match=rf"^body\.n: {op} needs (channels|kernel); its attr"):
        Node("body.n", op, ("x",), "body")


def test_integers_of_numpy_become_python_s_and_all_else_is_kept_as_it_is() -> None:
    made = node(
        "conv2d", stride=np.int64(2), padding=[np.int8(1), (0, np.uint8(1))], bias=np.bool_(False)
    )
    assert made.attributes == {
        "channels": 4,
        "kernel": 1,
        "stride": 2,
        "padding": [1, (0, 1)],
        "bias": False,
    }
    assert type(made.attributes["stride"]) is type(made.attributes["padding"][0]) is int
    assert type(made.attributes["bias"]) is bool
    assert made["groups"] == 1


# The epsilon of batch norm


def normed(**attributes: Any) -> tuple[Graph, dict[str, np.ndarray]]:
    layer = Builder((1, 2, 2))
    with layer.block("b"):
        conv = layer("conv", "conv2d", INPUT, channels=1, kernel=1, bias=False)
        layer("norm", "batch_norm", conv, **attributes)
    parameters = {"weight": 1.0, "gamma": 3.0, "beta": 1.0, "mean": 0.5, "variance": 0.25 - 1e-3}
    values = {
        name: np.full(shape, parameters[name.rpartition(".")[2]])
        for name, shape in layer.graph().parameter_shapes.items()
    }
    return layer.graph(), values


def test_epsilon_is_honoured_at_inference_and_by_folding() -> None:
    graph, parameters = normed(eps=1e-3)
    x = np.array([[[[0.5, 1.0], [0.0, 2.0]]]])
    wanted = 3 * (x - 0.5) / 0.5 + 1  # sqrt(0.25 - 1e-3 + 1e-3)
    assert graph.run(parameters, x) == pytest.approx(wanted, rel=1e-12)
    folded, own = nn.fold_batch_norm(graph, parameters)
    assert folded.run(own, x) == pytest.approx(wanted, rel=1e-12)
    assert own["b.conv.weight"].item() == pytest.approx(6, rel=1e-12)


def test_epsilon_is_honoured_in_training_and_by_its_derivative() -> None:
    graph, parameters = normed(eps=0.75)
    x = np.array([[[[-0.5, 0.5], [-0.5, 0.5]]]])  # mean 0, variance 1/4
    out = graph.run(parameters, x, statistics={})
    assert out == pytest.approx(3 * x / 1.0 + 1)

    def loss(gamma: float) -> float:
        changed = {**parameters, "b.norm.gamma": np.array([gamma])}
        return float((graph.run(changed, x, statistics={}) * x).sum())

    from autograd import grad

    def traced(gamma: Any) -> Any:
        return (graph.run({**parameters, "b.norm.gamma": gamma}, x, statistics={}) * x).sum()

    step = 1e-6
    numeric = (loss(3 + step) - loss(3 - step)) / (2 * step)
    assert grad(traced)(np.array([3.0])) == pytest.approx(numeric, rel=1e-6)


def test_without_epsilon_it_is_that_of_pytorch_and_not_stored() -> None:
    graph, _ = normed()
    assert graph.node("b.norm")["eps"] == 1e-5
    assert graph.node("b.norm").attributes == {}


# Graphs that are refused while they are built


def refused(message: str, build: Any) -> None:
    layer = Builder((2, 4, 4))
    with pytest.raises(InputError, match=message), layer.block("b"):
        build(layer)


@pytest.mark.parametrize(
    ("message", "build"),
    [
        (r"b\.x: conv2d needs channels", lambda add: add("x", "conv2d", INPUT)),
        (r"b\.x: reads 0 tensors", lambda add: add("x", "relu")),
        (r"b\.x: reads 2 tensors", lambda add: add("x", "relu", INPUT, INPUT)),
        (r"b\.x: reads 'y'", lambda add: add("x", "relu", "y")),
        (
            r"b\.x: linear cannot read.*\(2, 4, 4\)",
            lambda add: add("x", "linear", INPUT, channels=2),
        ),
        (
            r"b\.x: conv2d cannot read.*\(32,\)",
            lambda add: add("x", "conv2d", add("f", "flatten", INPUT), channels=2, kernel=1),
        ),
        (
            r"b\.x: global_avg_pool cannot read",
            lambda add: add("x", "global_avg_pool", add("f", "flatten", INPUT)),
        ),
        (
            r"b\.x: max_pool cannot read",
            lambda add: add("x", "max_pool", add("f", "flatten", INPUT), kernel=1),
        ),
        (
            r"b\.x: shapes .* differ",
            lambda add: add("x", "add", INPUT, add("f", "flatten", INPUT)),
        ),
        (
            r"b\.x: 2 channels do not split into 3",
            lambda add: add("x", "conv2d", INPUT, channels=3, kernel=1, groups=3),
        ),
        (
            r"b\.x: 3 channels do not split into 2",
            lambda add: add("x", "conv2d", INPUT, channels=3, kernel=1, groups=2),
        ),
        (r"b\.x: a window of 5x5", lambda add: add("x", "conv2d", INPUT, channels=2, kernel=5)),
        (
            r"b\.x: the windows on",
            lambda add: add("x", "conv2d", INPUT, channels=2, kernel=1, padding=2**20),
        ),
        (
            r"b\.x: a window.*padding",
            lambda add: add("x", "max_pool", INPUT, kernel=1, padding=1),
        ),
        (
            r"b\.x: kernel: a window of 134217728x1 has more than 1048576 pixels",
            lambda add: add("x", "avg_pool", INPUT, kernel=(2**27, 1), padding=((2**27, 0), 0)),
        ),
        (r"block 'c': is inside of block 'b'", lambda add: add.block("c").__enter__()),
    ],
)
def test_a_graph_is_refused_in_the_line_that_is_wrong(message: str, build: Any) -> None:
    refused(message, build)


@pytest.mark.parametrize(
    ("shape", "zero"),
    [
        ((3, 4), ()),
        ((3, 4, 0), ()),
        ((3, 4, -4), ()),
        ((3, 4.0, 4), ()),
        ((True, 4, 4), ()),
        ((2**16 + 1, 1, 1), ()),
        ((3, 2**14, 2**14), ()),
        ("344", ()),
        (7, ()),
        ((3, 4, 4), (1, 2)),
        ((3, 4, 4), (0, 0, 256)),
        ((3, 4, 4), (0, 0, 0.5)),
        ((3, 4, 4), (0, 0, -1)),
        ((3, 4, 4), None),
        ((3, 4, 4), 0),
        ((3, 4, 4), {0}),
    ],
)
def test_an_image_that_cannot_be_is_refused(shape: Any, zero: Any) -> None:
    for door in (Builder, lambda shape, zero: Graph(shape, (), zero)):
        with pytest.raises(InputError, match="^(input_shape|zero): "):
            door(shape, zero)


def test_a_block_whose_nodes_fail_leaves_no_trace() -> None:
    layer = Builder((2, 4, 4))
    with pytest.raises(InputError), layer.block("broken"):
        layer("x", "conv2d", INPUT)
    with layer.block("whole"):
        layer("x", "relu", INPUT)
    assert [(node.name, node.block) for node in layer.graph().nodes] == [("whole.x", "whole")]


def test_a_block_that_goes_on_after_another_is_refused_where_it_does() -> None:
    layer = Builder((2, 4, 4))
    with layer.block("one"):
        x = layer("x", "relu", INPUT)
    with layer.block("two"):
        y = layer("y", "relu", x)
    with pytest.raises(InputError, match="block 'one': its nodes are not"), layer.block("one"):
        layer("z", "relu", y)


def test_an_empty_graph_is_refused() -> None:
    with pytest.raises(InputError, match="no nodes"):
        Builder((2, 4, 4)).graph()


def test_doubling_the_channels_for_ever_is_refused_before_any_memory_is_taken() -> None:
    layer = Builder((1, 1, 1))
    with layer.block("b"):
        x = layer("x0", "concat", INPUT, INPUT)
        for number in range(1, 16):
            x = layer(f"x{number}", "concat", x, x)
        with pytest.raises(InputError, match=r"b\.y: makes a tensor of 131072 channels, more than"):
            layer("y", "concat", x, x)


def test_weights_that_no_memory_holds_are_refused() -> None:
    layer = Builder((2**15, 1, 1))
    with layer.block("b"), pytest.raises(InputError, match=r"b\.x: has a weight of shape"):
        layer("x", "conv2d", INPUT, channels=2**14, kernel=1)


def test_a_thousand_nodes_are_built_and_run_in_no_time() -> None:
    layer = Builder((1, 1, 1))
    with layer.block("b"):
        x = INPUT
        for number in range(1000):
            x = layer(f"x{number}", "relu", x)
    graph = layer.graph()
    assert graph.run({}, np.full((1, 1, 1, 1), 2.0)).item() == 2
    assert len(graph.needed(graph.output, ())) == 1000


def test_a_mean_over_more_pixels_than_a_window_has_is_refused_when_it_is_built() -> None:
    layer = Builder((1, 1025, 1024))
    with layer.block("b"), pytest.raises(InputError, match=r"^b\.x: kernel: a window of 1025x1024"):
        layer("x", "global_avg_pool", INPUT)
