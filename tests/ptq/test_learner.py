from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.nn.graph import Block
from aquant_ref.ptq.border_spec import BorderSpec
from aquant_ref.ptq.learner import Learner
from aquant_ref.ptq.network import LearnedNetwork
from aquant_ref.ptq.pass_config import ReconstructionPass
from tests.claims import networks


def block(network: LearnedNetwork, name: str) -> Block:
    return next(each for each in network.graph.blocks() if each.name == name)


def learner(network: LearnedNetwork, name: str = "body", **settings: Any) -> Learner:
    return Learner(network, block(network, name), ReconstructionPass("test", 10, **settings))


def plain() -> LearnedNetwork:
    return networks.network(coefficients=None)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"scales": False}, set()),
        ({}, {"scale/stem.relu"}),
        ({"activations": False, "weights": True}, {"weight/body.conv"}),
        ({"scales": False, "biases": True}, {"bias/body.conv"}),
        ({"scales": False, "border": BorderSpec()}, {"border/stem.relu"}),
        ({"scales": False, "border": BorderSpec(granularity="row")}, {"window/body.conv"}),
        (
            {"scales": False, "border": BorderSpec(granularity="row", fusion="window")},
            {"window/body.conv", "fusion/body.conv"},
        ),
    ],
)
def test_a_pass_learns_the_variables_that_it_names(
    settings: dict[str, Any], names: set[str]
) -> None:
    assert learner(plain(), **settings).variables.keys() == names


def test_layers_at_the_boundary_are_not_learned() -> None:
    for name in ("stem", "head"):
        assert not learner(plain(), name, weights=True, biases=True).variables


def test_a_step_goes_against_the_gradient_as_far_as_its_rate() -> None:
    """The first step of Adam has the size of the rate, whatever that of the gradient."""
    network = plain()
    made = learner(network, scales=False, biases=True, bias_rate=0.25)
    before = network.parameters["body.conv.bias"].copy()
    made.step({"bias/body.conv": np.array([3.0, -1e-3, 1.0], np.float32)}, 0)
    moved = made.variables["bias/body.conv"] - before
    assert moved == pytest.approx(np.array([-0.25, 0.25, -0.25]), rel=1e-3)


def test_coefficients_that_the_family_has_not_stay_0() -> None:
    made = learner(plain(), scales=False, border=BorderSpec("linear"), border_rate=0.5)
    made.step({"border/stem.relu": np.ones((2, 3), np.float32)}, 0)
    expected = np.array([[-0.5, -0.5, 0]] * 2)
    assert made.variables["border/stem.relu"] == pytest.approx(expected, rel=1e-3)


def test_what_was_learned_is_written_back() -> None:
    network = plain()
    made = learner(network, weights=True, biases=True, border=BorderSpec())
    scale = network.tensors["stem.relu"].scale
    made.variables["scale/stem.relu"] = np.array(2 * scale)
    made.variables["bias/body.conv"] = np.array([1, 2, 3], np.float32)
    made.variables["border/stem.relu"] = np.full((2, 3), 0.5, np.float32)
    for sign in (-1e3, 1e3):  # all weights down, then all up
        shape = made.variables["weight/body.conv"].shape
        made.variables["weight/body.conv"] = np.full(shape, sign, np.float32)
        made.write_back()
        weight, scales = network.parameters["body.conv.weight"], network.scales["body.conv"]
        steps = np.floor(weight / scales.scale.reshape(-1, 1, 1, 1)) + (sign > 0)
        codes = np.clip(steps + scales.zero_point.reshape(-1, 1, 1, 1), 0, scales.qmax)
        assert network.codes["body.conv"].tolist() == codes.tolist()
    assert network.tensors["stem.relu"].scale == 2 * scale
    assert network.tensors["stem.relu"].coefficients is made.variables["border/stem.relu"]
    assert network.biases["body.conv"].tolist() == [1, 2, 3]


def test_parameters_have_soft_weights_and_learned_biases_and_all_else_as_it_is() -> None:
    network = plain()
    made = learner(network, weights=True, biases=True, scales=False)
    made.variables["bias/body.conv"] = np.array([1, 2, 3], np.float32)
    parameters = made.parameters(made.variables)
    assert parameters["body.conv.bias"].tolist() == [1, 2, 3]
    # soft weights start where the float weights are, inside of the codes
    weight, scales = network.parameters["body.conv.weight"], network.scales["body.conv"]
    steps = weight / scales.scale.reshape(-1, 1, 1, 1) + scales.zero_point.reshape(-1, 1, 1, 1)
    inside = (steps > 0) & (steps < scales.qmax)
    assert parameters["body.conv.weight"][inside] == pytest.approx(weight[inside], abs=1e-4)
    hard = network.weights()
    assert (parameters["stem.conv.weight"] == hard["stem.conv.weight"]).all()


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "scale/stem.relu is not finite"), (-0.5, "is -0.5"), (0.0, "0")]
)
def test_an_impossible_variable_is_named(value: float, message: str) -> None:
    made = learner(plain())
    assert made.impossible() is None
    made.variables["scale/stem.relu"] = np.array(value)
    assert message in str(made.impossible())


def test_only_soft_weights_have_a_penalty_and_none_at_the_start() -> None:
    made = learner(plain(), weights=True, scales=False, regularization=0.5)
    assert made.penalty(made.variables, 0) == 0
    assert made.penalty(made.variables, 9) > 0
    assert learner(plain()).penalty({}, 9) == 0
