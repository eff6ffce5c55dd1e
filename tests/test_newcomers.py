"""What a newcomer gets wrong first, through every public door: one line says what to write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import aquant_ref as aq
from aquant_ref.checks import MOST_SHOWN, shown
from aquant_ref.ptq.methods import METHODS, Config
from tests import test_api

Call = Callable[[], Any]


def images() -> np.ndarray:
    return np.zeros((4, *test_api.model().graph.shapes["image"]), np.uint8)


def network() -> aq.Network:
    net = aq.Network((1, 4, 4))
    net.linear(net.flatten(net.relu(net.conv2d(net.input, 2, kernel=3))), 2)
    return net


def weights(**renamed: str) -> dict[str, np.ndarray]:
    shapes = network().graph().parameter_shapes
    return {renamed.get(name, name): np.ones(shape) for name, shape in shapes.items()}


def conv(**attributes: Any) -> Any:
    net = network()
    return net.conv2d(net.input, 2, **{"kernel": 3, **attributes})


def concat(*inputs: Any) -> Any:
    return network().concat(*inputs)


def quantize(**settings: Any) -> Any:
    graph, own = network().graph(), weights()
    pixels = np.zeros((32, 1, 4, 4), np.uint8)
    return aq.quantize(graph, own, pixels, **{"iterations": 1, **settings})


LISTS = [[[0.1] * 500] * 500] * 500
NOT_A_GRAPH: Any = network()
PADDING = "padding: needs a number, (vertical, horizontal) or ((top, bottom), (left, right)), got "
DOORS: dict[str, tuple[Call, str]] = {
    "network to fold": (
        lambda: aq.fold(NOT_A_GRAPH, weights()),
        "graph: needs Graph, got Network; its graph() makes one",
    ),
    "method to fold": (
        lambda: aq.fold(NOT_A_GRAPH.graph, weights()),
        "graph: needs Graph, got method; call it: graph()",
    ),
    "network to quantize": (
        lambda: aq.quantize(NOT_A_GRAPH, weights(), images()),
        "graph: needs Graph, got Network; its graph() makes one",
    ),
    "misspelt weights": (
        lambda: aq.fold(network().graph(), weights(**{"conv2d_1.bias": "conv2d_1.biass"})),
        "parameter 'conv2d_1.biass' is unexpected (did you mean 'conv2d_1.bias'?)",
    ),
    "weights without names": (
        lambda: aq.fold(network().graph(), {"0": np.ones(1)}),
        "parameter 'conv2d_1.bias' is missing, and '0' is unexpected",
    ),
    "mean without an axis": (
        lambda: aq.fold(network().graph(), weights(), mean=np.array(0.5)),
        "mean: needs 1 number, got float64 of shape ()",
    ),
    "padding of a word": (lambda: conv(padding="same"), f"conv2d_1: {PADDING}'same'"),
    "four paddings": (lambda: conv(padding=(1, 0, 2, 1)), f"conv2d_1: {PADDING}(1, 0, 2, 1)"),
    "list of tensors": (
        lambda: concat(["image", "image"]),
        "concat_1: input: needs a name, got ['image', 'image']",
    ),
    "no tensor": (lambda: concat("image", None), "concat_1: input: needs a name, got None"),
    "name of a number": (lambda: conv(name=3), "node: needs a name, got 3"),
    "bits of weights": (
        lambda: quantize(bits="W33A4"),
        "weight bits: needs 1 to 16 bits, or 32 for floating point, got 33",
    ),
    "progress of quantize": (
        lambda: quantize(progress=True),
        "progress: needs a function, got True",
    ),
    "callback": (lambda: quantize(callback=3), "callback: needs a function, got 3"),
    "progress of compare": (
        lambda: aq.compare(test_api.model(), test_api.program(), images(), progress=3),
        "progress: needs a function, got 3",
    ),
}


@pytest.mark.parametrize("door", DOORS)
def test_one_line_says_what_to_write(door: str) -> None:
    call, said = DOORS[door]
    with pytest.raises(aq.InputError) as caught:
        call()
    assert str(caught.value).replace("conv2d_2", "conv2d_1") == said


DOORS_OF_A_PROGRAM: dict[str, Callable[[aq.QuantizedModel], Any]] = {
    "threshold": aq.lower,
    "fixed_point": lambda model: aq.lower(model, "fixed_point"),
    "certify": aq.certify,
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("door", DOORS_OF_A_PROGRAM)
def test_a_method_without_an_integer_program_gets_none(method: str, door: str) -> None:
    """Past bug: the program of a-rounding was that of qdrop."""
    net = aq.Network((1, 4, 4))
    x = net.relu(net.conv2d(net.input, 2, kernel=1))
    x = net.relu(net.conv2d(x, 2, kernel=2))
    net.linear(net.flatten(x), 2)
    own = {name: np.ones(shape) for name, shape in net.graph().parameter_shapes.items()}
    pixels = np.random.default_rng(0).integers(0, 256, (2, 1, 4, 4)).astype(np.uint8)
    model = aq.quantize(net.graph(), own, pixels, "W4A4", method, iterations=1, batch=2)
    if method == "a-rounding":
        with pytest.raises(aq.InputError, match=r"has no integer (form|lowering)"):
            DOORS_OF_A_PROGRAM[door](model)
    else:
        DOORS_OF_A_PROGRAM[door](model)


def test_a_network_shows_what_is_in_it_so_far() -> None:
    net = aq.Network((1, 4, 4))
    assert repr(net) == "<Network 1x4x4 to nothing: 0 nodes, 0 blocks, 0 parameters>"
    net.conv2d(net.input, 2, kernel=3)  # 2*9 weights, 2 biases
    assert repr(net) == "<Network 1x4x4 to 2x2x2: 1 node, 1 block, 20 parameters>"
    assert net.summary() == net.graph().summary()
    assert "conv2d_1" in net._repr_html_()


def test_the_docstring_of_quantize_names_every_method_and_setting() -> None:
    said = str(aq.quantize.__doc__)
    words = [*METHODS, *(each.name for each in fields(Config) if not each.name.endswith("bits"))]
    assert [word for word in words if word not in said] == []
    assert [
        f"`{each.name}` ({each.default}" in " ".join(said.split())
        for each in fields(Config)
        if each.name in ("iterations", "batch", "seed", "signed")
    ] == [True] * 4


@pytest.mark.parametrize("value", [LISTS, (np.zeros((9, 9, 9)),) * 9, {"a": LISTS}, "x" * 9999])
def test_a_value_is_shown_in_part_and_in_one_line(value: Any) -> None:
    assert len(shown(value)) <= MOST_SHOWN
    assert "\n" not in shown(value)
    own = {**weights(), "conv2d_1.weight": value}
    with pytest.raises(aq.InputError, match=r"^parameter 'conv2d_1.weight' is ") as caught:
        aq.fold(network().graph(), own)
    assert len(str(caught.value)) < 2 * MOST_SHOWN
