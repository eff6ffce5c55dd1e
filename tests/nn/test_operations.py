from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.nn.operations import OPERATIONS, Node, slope_below_zero, windows


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": ""}, "^node '': needs"),
        ({"name": 3}, "^node: needs"),
        ({"name": "na\u00efve"}, "needs printable ASCII"),
        ({"name": "a\nb"}, "needs printable ASCII"),
        ({"name": "\ud800"}, "needs printable ASCII"),
        ({"name": "x" * 201}, "longer than 200"),
        ({"op": "gelu"}, "unknown operation 'gelu'"),
        ({"op": ["relu"]}, "unknown op"),
        ({"inputs": ["x"]}, "needs a tuple"),
        ({"inputs": (3,)}, "n: input: needs"),
        ({"block": "b\x00"}, "n: block .*needs"),
        ({"attributes": [1]}, "needs a mapping"),
    ],
)
def test_a_node_that_no_file_could_hold_is_refused(changed: dict[str, Any], message: str) -> None:
    whole = {"name": "n", "op": "relu", "inputs": ("x",), "block": "b", "attributes": {}}
    with pytest.raises(InputError, match=message):
        Node(**{**whole, **changed})


SHAPES: list[tuple[str, dict[str, Any], list[tuple[int, ...]], tuple[int, ...]]] = [
    ("conv2d", {"channels": 5, "kernel": (3, 2), "stride": 2}, [(2, 7, 8)], (5, 3, 4)),
    ("linear", {"channels": 5}, [(7,)], (5,)),
    ("batch_norm", {}, [(2, 3, 4)], (2, 3, 4)),
    ("relu", {}, [(2, 3, 4)], (2, 3, 4)),
    ("relu6", {}, [(7,)], (7,)),
    ("leaky_relu", {}, [(2, 3, 4)], (2, 3, 4)),
    ("add", {}, [(2, 3, 4), (2, 3, 4)], (2, 3, 4)),
    ("mul", {}, [(7,), (7,)], (7,)),
    ("avg_pool", {"kernel": 2}, [(2, 6, 5)], (2, 3, 2)),
    ("max_pool", {"kernel": 2, "stride": 1, "padding": 1}, [(2, 3, 4)], (2, 4, 5)),
    ("global_avg_pool", {}, [(2, 3, 4)], (2, 1, 1)),
    ("concat", {}, [(2, 3, 4), (1, 3, 4), (5, 3, 4)], (8, 3, 4)),
    ("requantize", {}, [(2, 3, 4)], (2, 3, 4)),
    ("flatten", {}, [(2, 3, 4)], (24,)),
]


def operation(op: str, attributes: dict[str, Any], inputs: int = 1) -> Node:
    return Node("n", op, tuple("abcdef"[:inputs]), "b", attributes)


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape) ** 2 + 0.1


@pytest.mark.parametrize(("op", "attributes", "shapes", "made"), SHAPES)
def test_an_operation_makes_the_shape_that_it_says(
    op: str,
    attributes: dict[str, Any],
    shapes: list[tuple[int, ...]],
    made: tuple[int, ...],
) -> None:
    node, row = operation(op, attributes, len(shapes)), OPERATIONS[op]
    assert row.shape(node, *shapes) == made
    parameters = {name: drawn(shape) for name, shape in row.parameters(node, shapes[0]).items()}
    computed = row.apply(node, parameters, *(drawn((2, *shape)) for shape in shapes))
    assert computed.shape == (2, *made)


def test_every_operation_has_its_shape_here() -> None:
    assert {op for op, *_ in SHAPES} == OPERATIONS.keys()


def test_parameters_have_the_shapes_of_their_layer() -> None:
    def parameters(op: str, shape: tuple[int, ...], **attributes: Any) -> dict[str, Any]:
        return OPERATIONS[op].parameters(operation(op, attributes), shape)

    grouped = {"channels": 6, "kernel": (3, 2), "groups": 2}
    made = parameters("conv2d", (4, 9, 9), **grouped)
    assert made == {"weight": (6, 2, 3, 2), "bias": (6,)}
    assert parameters("conv2d", (4, 9, 9), **grouped, bias=False) == {"weight": (6, 2, 3, 2)}
    assert parameters("linear", (7,), channels=5) == {"weight": (5, 7), "bias": (5,)}
    norm = parameters("batch_norm", (4, 9, 9))
    assert norm == dict.fromkeys(("gamma", "beta", "mean", "variance"), (4,))
    assert parameters("relu", (4, 9, 9)) == {}
    for shape, channels, wrong in (((5, 9, 9), 6, 5), ((4, 9, 9), 3, 3)):
        with pytest.raises(InputError, match=f"^n: {wrong} channels do not split into 2 groups"):
            parameters("conv2d", shape, **{**grouped, "channels": channels})


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        ("add", [(2, 3, 4), (2, 4, 3)], r"^n: shapes \(2, 3, 4\) and \(2, 4, 3\) differ"),
        ("concat", [(2, 3, 4)], "^n: needs two or more inputs"),
        ("concat", [(2, 3, 4), (2, 3, 5)], "differ beyond their channels"),
    ],
)
def test_inputs_that_do_not_meet_are_refused_with_the_node(
    op: str, shapes: list[tuple[int, ...]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        OPERATIONS[op].shape(operation(op, {}, len(shapes)), *shapes)


def test_windows_that_do_not_fit_are_refused_with_the_node() -> None:
    with pytest.raises(InputError, match="^n: "):
        windows(operation("max_pool", {"kernel": 4}), (1, 3, 9))


def test_an_activation_has_the_slope_below_0_that_it_multiplies_with() -> None:
    assert slope_below_zero(operation("relu", {})) == slope_below_zero(operation("relu6", {})) == 0
    assert slope_below_zero(operation("leaky_relu", {"alpha": 0.1})) == Fraction(0.1)
    assert slope_below_zero(operation("requantize", {})) == 1
