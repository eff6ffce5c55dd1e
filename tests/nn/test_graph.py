from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref import nn
from aquant_ref.errors import InputError
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.operations import Node
from aquant_ref.nn.training.train import initial_parameters
from aquant_ref.typing import Reals

rng = np.random.default_rng(1)


def small(bias: bool = False) -> Graph:
    layer = Builder((2, 6, 5))
    with layer.block("stem"):
        x = layer("conv", "conv2d", INPUT, channels=3, kernel=3, padding=1, bias=bias)
        x = layer("relu", "relu", layer("norm", "batch_norm", x))
    with layer.block("body"):
        y = layer("conv", "conv2d", x, channels=3, kernel=3, padding=1, groups=3)
        x = layer("relu", "relu6", layer("add", "add", y, x))
    with layer.block("head"):
        x = layer("max", "max_pool", x, kernel=2)
        x = layer("mean", "avg_pool", x, kernel=(3, 1), stride=1)
        layer("linear", "linear", layer("flatten", "flatten", x), channels=4)
    return layer.graph()


def random_parameters(graph: Graph) -> dict[str, np.ndarray]:
    parameters = {n: rng.standard_normal(s) for n, s in graph.parameter_shapes.items()}
    return {n: np.abs(p) + 0.1 if n.endswith("variance") else p for n, p in parameters.items()}


def test_shapes_are_inferred_and_equal_those_of_the_tensors() -> None:
    graph = small()
    tensors = graph.evaluate(random_parameters(graph), {INPUT: rng.random((2, 2, 6, 5))})
    assert {name: t.shape[1:] for name, t in tensors.items()} == graph.shapes


def test_a_graph_prints_itself() -> None:
    lines = str(small()).splitlines()
    assert lines[1].split() == ["image", "2x6x5"]
    assert "groups=3" in lines[5]
    assert lines[6].split() == ["body.add", "add", "body.conv,", "stem.relu", "3x6x5", "body"]


def test_blocks_run_one_by_one_give_what_the_whole_gives() -> None:
    graph = small()
    parameters, x = random_parameters(graph), rng.random((2, 2, 6, 5))
    whole = graph.evaluate(parameters, {INPUT: x})
    known: dict[str, Reals] = {INPUT: x}
    for block in graph.blocks():
        given = {name: known[name] for name in block.inputs}
        made = graph.evaluate(parameters, given, nodes=block.nodes)
        known[block.output] = made[block.output]
        assert made[block.output].tobytes() == whole[block.output].tobytes()
    assert [b.name for b in graph.blocks()] == ["stem", "body", "head"]
    assert graph.blocks()[1].inputs == ("stem.relu",)


def test_a_hook_replaces_tensors_where_they_are_made() -> None:
    graph = small()
    seen = []

    def hook(name: str, x: np.ndarray) -> np.ndarray:
        seen.append(name)
        return np.zeros_like(x) if name == "body.relu" else x

    parameters = random_parameters(graph)
    out = graph.run(parameters, rng.random((1, 2, 6, 5)), hook=hook)
    assert out[0].tolist() == parameters["head.linear.bias"].tolist()
    assert seen == [node.name for node in graph.nodes]


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (("a", "relu", (INPUT,), "b"), "a: this name is used twice"),
        (("c", "gelu", (INPUT,), "b"), "c: unknown operation 'gelu'"),
        (("c", "relu", ("z",), "b"), "c: reads 'z'"),
        (("c", "add", (INPUT, "p"), "b"), "c: shapes"),
        (("c", "add", (INPUT,), "b"), "c: reads 1 tensor"),
        (("c", "concat", (INPUT, "p"), "b"), "c: shapes"),
        (("c", "concat", (INPUT,), "b"), "c: needs two or more"),
        (("c", "avg_pool", ("a",), "b", {"kernel": 2, "padding": ((0, 2), (0, 0))}), "c: a w"),
        (("c", "max_pool", ("a",), "b", {"kernel": 2, "dilation": 4}), "c: a window"),
        (("c", "max_pool", ("a",), "b", {"kernel": 2, "padding": (1, 1, 1)}), "c: padding: needs"),
        (("c", "max_pool", ("a",), "b", {"kernel": (2.5, 2)}), "c: kernel: needs"),
        (("c", "max_pool", ("p",), "b", {"kernel": (2, 3)}), "c: a window"),
        (("c", "conv2d", (INPUT,), "b", {"channels": 4, "kernel": 1, "groups": 3}), "c: 2 ch"),
    ],
)
def test_a_wrong_node_is_refused_by_name(node: tuple[Any, ...], message: str) -> None:
    nodes = [
        Node("a", "relu", (INPUT,), "b"),
        Node("p", "max_pool", ("a",), "b", {"kernel": 2}),
    ]
    with pytest.raises(InputError, match=message):
        Graph((2, 4, 4), [*nodes, Node(*node)])


def test_a_block_in_two_pieces_is_refused() -> None:
    nodes = [
        Node("a", "relu", (INPUT,), "one"),
        Node("b", "relu", ("a",), "two"),
        Node("c", "relu", ("b",), "one"),
    ]
    with pytest.raises(ValueError, match="'one'"):
        Graph((2, 4, 4), nodes).blocks()


def change(name: str, value: Any) -> dict[str, np.ndarray]:
    parameters = random_parameters(small())
    if value is None:
        del parameters[name]
    else:
        parameters[name] = value
    return parameters


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("stem.conv.weight", None, "missing"),
        ("stem.conv.bias", np.zeros(3), "unexpected"),
        ("head.linear.bias", np.zeros(5), "shape"),
        ("head.linear.bias", np.array([0, np.nan, 0, 0]), "NaN"),
        ("head.linear.bias", np.array([0, -np.inf, 0, 0]), "infinity"),
        ("head.linear.bias", np.zeros(4, np.int64), "float"),
        ("head.linear.bias", np.zeros(4, np.float16), "float32 or float64"),
        ("head.linear.bias", [0.0] * 4, "float32 or float64"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_name(
    name: str, value: Any, message: str
) -> None:
    with pytest.raises(InputError, match=f"{name}.*{message}"):
        small().check_parameters(change(name, value))


@pytest.mark.parametrize("bias", [False, True])
def test_folding_batch_norm_changes_nothing(bias: bool) -> None:
    graph = small(bias)
    parameters, x = random_parameters(graph), rng.random((2, 2, 6, 5))
    folded, folded_parameters = nn.fold_batch_norm(graph, parameters)
    folded.check_parameters(folded_parameters)
    assert all(node.op != "batch_norm" for node in folded.nodes)
    assert folded.run(folded_parameters, x) == pytest.approx(graph.run(parameters, x))


def test_a_batch_norm_that_cannot_be_folded_is_refused_by_name() -> None:
    norm = Node("n", "batch_norm", ("r",), "b")
    graph = Graph((2, 4, 4), [Node("r", "relu", (INPUT,), "b"), norm])
    with pytest.raises(ValueError, match="^n: cannot be folded: no layer reads it"):
        nn.fold_batch_norm(graph, initial_parameters(graph, 0))
    conv = Node("c", "conv2d", (INPUT,), "b", {"channels": 2, "kernel": 1})
    norm = Node("n", "batch_norm", ("c",), "b")
    graph = Graph((2, 4, 4), [conv, norm, Node("a", "add", ("n", "c"), "b")])
    with pytest.raises(ValueError, match="nor into 'c', which others read too"):
        nn.fold_batch_norm(graph, initial_parameters(graph, 0))
