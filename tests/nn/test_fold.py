"""Folding: the folded network is the unfolded one, or the batch norm is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.nn import Network, fold
from aquant_ref.nn.graph import Graph

SHAPE = (4, 5, 6)
Body = Callable[[Network], str]


def back(net: Network) -> str:
    return net.relu(net.batch_norm(net.conv2d(net.input, 6, kernel=3, padding=1, bias=False)))


def twice(net: Network) -> str:
    x = net.batch_norm(net.conv2d(net.input, 6, kernel=3, groups=2))
    return net.relu(net.batch_norm(x, eps=0.5))


def forward(net: Network) -> str:
    x = net.batch_norm(net.relu(net.conv2d(net.input, 6, kernel=3, padding=1)), eps=1e-3)
    return net.add(net.conv2d(x, 4, kernel=(2, 1), groups=2), net.conv2d(x, 4, kernel=(2, 1)))


def image(net: Network) -> str:
    return net.relu(net.conv2d(net.batch_norm(net.input), 3, kernel=2, stride=2))


def means(net: Network) -> str:
    x = net.batch_norm(net.relu(net.conv2d(net.input, 6, kernel=3)))
    return net.avg_pool(x, kernel=3, stride=2, padding=1, count_padding=False)


def hidden(net: Network) -> str:
    x = net.batch_norm(net.linear(net.flatten(net.input), 6), eps=1e-3)
    return net.batch_norm(net.linear(net.relu(x), 4))


def hidden_forward(net: Network) -> str:
    return net.batch_norm(net.relu(net.linear(net.flatten(net.input), 6)))


def network(body: Body) -> Graph:
    net = Network(SHAPE)
    x = body(net)
    net.linear(x if len(net.graph().shapes[x]) == 1 else net.flatten(x), 3)
    return net.graph()


def drawn(graph: Graph, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: rng.uniform(0.2, 2, shape) if name.endswith("variance") else rng.normal(size=shape)
        for name, shape in graph.parameter_shapes.items()
    }


@pytest.mark.parametrize("body", [back, twice, forward, image, means, hidden, hidden_forward])
def test_a_folded_network_computes_the_same(body: Body) -> None:
    graph = network(body)
    parameters = drawn(graph)
    folded, own = fold(graph, parameters)
    assert not [node for node in folded.nodes if node.op == "batch_norm"]
    x = np.random.default_rng(1).normal(size=(3, *SHAPE))
    np.testing.assert_allclose(folded.run(own, x), graph.run(parameters, x), rtol=1e-9, atol=1e-9)


def test_a_batch_norm_after_the_logits_is_folded() -> None:
    net = Network(SHAPE)
    net.batch_norm(net.linear(net.flatten(net.input), 3))
    graph = net.graph()
    parameters = drawn(graph)
    folded, own = fold(graph, parameters)
    assert [node.op for node in folded.nodes] == ["flatten", "linear"]
    x = np.random.default_rng(1).normal(size=(3, *SHAPE))
    np.testing.assert_allclose(folded.run(own, x), graph.run(parameters, x), rtol=1e-9, atol=1e-9)


def pads(net: Network) -> str:
    x = net.batch_norm(net.relu(net.conv2d(net.input, 4, kernel=1)))
    return net.conv2d(x, 2, kernel=3, padding=1)


def counts_padding(net: Network) -> str:
    x = net.batch_norm(net.relu(net.conv2d(net.input, 4, kernel=1)))
    return net.avg_pool(x, kernel=2, padding=1)


def meets_relu(net: Network) -> str:
    return net.relu(net.batch_norm(net.max_pool(net.conv2d(net.input, 4, kernel=1), kernel=2)))


def shared(net: Network) -> str:
    x = net.conv2d(net.input, 4, kernel=1)
    return net.add(x, net.batch_norm(x))


@pytest.mark.parametrize(
    ("body", "reader"),
    [
        (pads, "'conv2d_2', a conv2d that pads"),
        (counts_padding, "'avg_pool_1', a avg_pool that pads"),
        (meets_relu, "'relu_1', a relu"),
        (shared, "'add_1', a add"),
    ],
)
def test_a_batch_norm_that_can_move_neither_way_is_refused_by_name(body: Body, reader: str) -> None:
    graph = network(body)
    with pytest.raises(InputError, match="^batch_norm_1: cannot be folded into what .*" + reader):
        fold(graph, drawn(graph))


def test_a_map_without_an_offset_moves_past_padding() -> None:
    graph = network(pads)
    parameters = drawn(graph)
    parameters["batch_norm_1.beta"][:] = parameters["batch_norm_1.mean"][:] = 0
    folded, own = fold(graph, parameters)
    x = np.random.default_rng(1).normal(size=(2, *SHAPE))
    np.testing.assert_allclose(folded.run(own, x), graph.run(parameters, x), rtol=1e-9, atol=1e-9)


MEAN, STD = (0.485, 0.456, 0.0, 1.0), (0.229, 2.0, 0.225, 1.0)


@pytest.mark.parametrize("padding", [0, 1])
def test_pixels_stand_for_what_the_network_was_trained_on(padding: int) -> None:
    """Spec: AQ-AFFINE-4."""
    net = Network(SHAPE)
    x = net.relu(net.batch_norm(net.conv2d(net.input, 6, kernel=3, padding=padding, groups=2)))
    net.linear(net.flatten(x), 3)
    graph = net.graph()
    parameters = drawn(graph)
    folded, own = fold(graph, parameters, mean=MEAN, std=STD)
    assert folded.zero == (124, 116, 0, 255)
    codes = np.random.default_rng(2).integers(0, 256, (2, *SHAPE)).astype(np.uint8)
    column = np.array([MEAN, STD]).reshape(2, -1, 1, 1)
    wanted = graph.run(parameters, (codes / 255 - column[0]) / column[1])
    made = folded.run(own, folded.to_float(codes, np.float64))
    # a padded pixel is off by half a code at most, in steps of std
    np.testing.assert_allclose(made, wanted, rtol=1e-9, atol=2 if padding else 1e-9)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ((0.5,), STD, "^mean: needs 4 numbers, got"),
        ("half", STD, "^mean: needs 4 numbers, got 'half'"),
        (
            (0.5, 0.5, 0.5, 127.0),
            STD,
            "^mean: needs numbers of pixel/255, 0 to 1, got 127.0; ",
        ),
        ((123.7, 116.3, 103.5, 1), STD, "^mean: needs numbers of pixel/255, 0 to 1, got 123.7; "),
        ((0.5, 0.5, 0.5, 300.0), STD, "^mean: needs a finite number 0 or more, at most 1, got 300"),
        (MEAN, (1.0, 1.0, 1.0, 0.0), "^std: needs a finite number above 0, got 0.0"),
        (MEAN, (1.0, 1.0, 1.0, float("nan")), "^std: needs a finite number above 0, got nan"),
        (MEAN, (1.0, 1.0, 1.0, None), "^std: needs a finite number above 0, got None"),
        (MEAN, (1.0, 1.0, 1.0, 1e-320), "^folding overflows: parameter '.*' holds NaN or inf"),
    ],
)
def test_a_normalisation_of_other_numbers_is_refused(
    mean: Any,
    std: Any,
    message: str,
) -> None:
    graph = network(back)
    with pytest.raises(InputError, match=message):
        fold(graph, drawn(graph), mean=mean, std=std)


def flat(net: Network) -> str:
    return net.flatten(net.input)


def maximum(net: Network) -> str:
    return net.flatten(net.conv2d(net.max_pool(net.input, kernel=2), 3, kernel=2))


def mean_first(net: Network) -> str:
    x = net.avg_pool(net.input, kernel=2, padding=1, count_padding=False)
    return net.flatten(net.conv2d(x, 3, kernel=2))


def normalised_first(net: Network) -> str:
    return net.flatten(net.conv2d(net.batch_norm(net.input), 3, kernel=2))


def two_readers(net: Network) -> str:
    one = net.conv2d(net.max_pool(net.input, kernel=2), 3, kernel=1)
    return net.flatten(net.add(one, net.conv2d(net.input, 3, kernel=2, stride=2)))


@pytest.mark.parametrize("body", [flat, maximum, mean_first, normalised_first, two_readers])
def test_mean_and_std_reach_the_first_layers_through_pools_and_flatten(body: Body) -> None:
    net = Network(SHAPE)
    net.linear(body(net), 3)
    graph = net.graph()
    parameters = drawn(graph)
    folded, own = fold(graph, parameters, mean=MEAN, std=STD)
    codes = np.random.default_rng(2).integers(0, 256, (2, *SHAPE)).astype(np.uint8)
    column = np.array([MEAN, STD]).reshape(2, -1, 1, 1)
    wanted = graph.run(parameters, (codes / 255 - column[0]) / column[1])
    made = folded.run(own, folded.to_float(codes, np.float64))
    np.testing.assert_allclose(made, wanted, rtol=1e-9, atol=1e-9)


def test_an_image_that_an_activation_reads_takes_up_no_mean() -> None:
    net = Network(SHAPE)
    net.linear(net.flatten(net.relu(net.input)), 3)
    graph = net.graph()
    with pytest.raises(InputError, match="^image: cannot be folded into what reads it: 'relu_1'"):
        fold(graph, drawn(graph), mean=MEAN)


@pytest.mark.parametrize("body", [back, forward])
def test_a_batch_norm_that_leaves_float32_is_refused_where_it_is_folded(
    body: Callable[[Network], str],
) -> None:
    graph = network(body)
    parameters = {name: values.astype(np.float32) for name, values in drawn(graph).items()}
    for gamma in (3e38, -3e38):
        parameters["batch_norm_1.gamma"][:] = gamma
        parameters["batch_norm_1.variance"][:] = 0
        with pytest.raises(InputError, match=r"^folding overflows: parameter '\w+\.\w+' holds"):
            fold(graph, parameters)


def test_a_batch_norm_before_a_thousand_means_is_folded() -> None:
    net = Network((1, 1, 1))
    x = net.batch_norm(net.input)
    for _ in range(1100):
        x = net.avg_pool(x, kernel=1)
    net.linear(net.flatten(x), 1)
    graph = net.graph()
    assert "batch_norm" not in {node.op for node in fold(graph, drawn(graph))[0].nodes}
