"""A network of one's own: each method writes the node that its operation has."""

from __future__ import annotations

import inspect

import pytest

from aquant_ref.errors import InputError
from aquant_ref.nn import Network
from aquant_ref.nn.operations import OPERATIONS


def test_there_is_a_method_for_each_operation_with_its_attributes() -> None:
    for op, operation in OPERATIONS.items():
        parameters = inspect.signature(getattr(Network, op)).parameters
        given = [name for name in parameters if name in operation.attributes]
        assert given == list(operation.attributes), op
        for name, attribute in operation.attributes.items():
            if parameters[name].default is not inspect.Parameter.empty:
                assert parameters[name].default == attribute.default, (op, name)


def test_names_count_up_within_a_block_and_what_is_a_default_is_not_stored() -> None:
    net = Network((2, 5, 4), zero=(3, 4))
    with net.block("body"):
        x = net.conv2d(net.input, 4, kernel=3, padding=1, groups=2)
        y = net.relu6(net.conv2d(x, 4, kernel=(1, 1), bias=False))
        x = net.max_pool(net.concat(x, y, name="both"), kernel=2, stride=(1, 2))
    x = net.requantize(net.avg_pool(x, kernel=2, padding=1, count_padding=False))
    x = net.leaky_relu(net.leaky_relu(net.mul(net.add(x, x), x)), alpha=0)
    net.linear(net.flatten(x), 3)
    graph = net.graph()
    assert {node.name: dict(node.attributes) for node in graph.nodes} == {
        "body.conv2d_1": {"channels": 4, "kernel": 3, "padding": 1, "groups": 2},
        "body.conv2d_2": {"channels": 4, "kernel": (1, 1), "bias": False},
        "body.relu6_1": {},
        "body.both": {},
        "body.max_pool_1": {"kernel": 2, "stride": (1, 2)},
        "avg_pool_1": {"kernel": 2, "padding": 1, "count_padding": False},
        "requantize_1": {},
        "add_1": {},
        "mul_1": {},
        "leaky_relu_1": {},
        "leaky_relu_2": {"alpha": 0},
        "flatten_1": {},
        "linear_1": {"channels": 3},
    }
    assert graph.zero == (3, 4)
    assert [block.name for block in graph.blocks()] == ["body", ""]


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("groups", True, "conv2d_1: groups"),
        ("stride", 1.0, "conv2d_1: stride"),
        ("bias", 1, "conv2d_1: bias"),
        ("padding", False, "conv2d_1: padding"),
    ],
)
def test_a_value_that_equals_the_default_but_is_of_another_type_is_refused(
    attribute: str, value: object, message: str
) -> None:
    net = Network((1, 3, 3))
    with pytest.raises(InputError, match=message):
        net.conv2d(net.input, 2, kernel=3, **{attribute: value})
