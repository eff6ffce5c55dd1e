from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.nn.graph import INPUT
from aquant_ref.ptq.network import (
    LearnedNetwork,
    LearnedTensor,
    LearnedWindow,
    Quantizers,
    every_row,
    membership,
)
from tests.claims import networks


@pytest.fixture
def network() -> LearnedNetwork:
    """stem.relu has codes 0..3 in steps of 1/2, rounded to nearest."""
    made = networks.network(coefficients=None)
    made.tensors["stem.relu"] = LearnedTensor(0.5, 2)
    return made


def test_each_row_of_a_channel_has_the_coefficients_of_that_channel() -> None:
    assert membership(4, 2).tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]
    two = np.array([[1.0, 2, 3], [4, 5, 6]])
    assert every_row(two, 4).tolist() == [[1, 2, 3], [1, 2, 3], [4, 5, 6], [4, 5, 6]]
    assert every_row(two[:1], 3).tolist() == [[1, 2, 3]] * 3
    assert every_row(two, 2) is two


def test_weights_are_those_of_their_codes_and_learned_biases_replace_the_floats(
    network: LearnedNetwork,
) -> None:
    bias = np.full(3, 7, np.float32)
    network.biases["body.conv"] = bias
    made = network.weights()
    assert made["body.conv.bias"] is bias
    assert made["stem.conv.bias"] is network.parameters["stem.conv.bias"]
    scale, codes = network.scales["body.conv"], network.codes["body.conv"]
    for o, weight in enumerate(made["body.conv.weight"]):
        steps = codes[o].astype(int) - int(scale.zero_point[o])
        assert weight == pytest.approx(steps * scale.scale[o], rel=1e-6)


def test_a_tensor_has_the_codes_of_the_quantizer_before_it(network: LearnedNetwork) -> None:
    assert network.source("stem.relu") == "stem.relu"
    assert network.source("head.flatten") == "body.relu"
    assert network.source("stem.conv") is None


def test_a_stored_tensor_is_rounded_to_its_codes_times_its_scale(network: LearnedNetwork) -> None:
    x = np.array([-1, 0.2, 0.25, 0.7, 0.75, 9], np.float32).reshape(1, 1, 2, 3)
    stored = Quantizers(network).store("stem.relu", x)
    assert stored.ravel().tolist() == [0, 0, 0.5, 0.5, 1, 1.5]
    twice = Quantizers(network, {"scale/stem.relu": np.array(1.0)}).store("stem.relu", x)
    assert twice.ravel().tolist() == [0, 0, 0, 1, 1, 3]
    kept = Quantizers(
        network, {"scale/stem.relu": np.array(0.5)}, keep=lambda shape: np.zeros(shape, bool)
    )
    assert kept.store("stem.relu", x).ravel().tolist() == x.ravel().tolist()


def test_the_image_and_what_is_not_stored_are_left_as_they_are(network: LearnedNetwork) -> None:
    x = np.full((1, 2, 2, 3), 0.3, np.float32)
    for name in (INPUT, "stem.conv"):
        assert Quantizers(network).store(name, x) is x


def test_what_is_rounded_in_windows_is_stored_unrounded_and_rounded_by_other_readers(
    network: LearnedNetwork,
) -> None:
    """Spec: AQ-WINDOW-4."""
    assert network.read_in_windows() == frozenset()
    network.windows["body.conv"] = LearnedWindow(np.zeros((4, 3), np.float32))
    assert network.read_in_windows() == {"stem.relu"}
    x = np.full((1, 2, 2, 3), 0.3, np.float32)
    quantizers = Quantizers(network)
    assert quantizers.store("stem.relu", x) is x
    assert np.unique(quantizers.read("stem.relu", x)).tolist() == [0.5]


def test_a_border_of_a_half_in_windows_is_that_of_the_rounded_tensor(
    network: LearnedNetwork,
) -> None:
    node, weights = network.graph.node("body.conv"), network.weights()
    parameters = {name: weights[f"body.conv.{name}"] for name in ("weight", "bias")}
    x = abs(np.random.default_rng(0).standard_normal((2, 2, 2, 3))).astype(np.float32)
    plain = Quantizers(network)
    expected = plain.operate(node, parameters, plain.store("stem.relu", x))
    network.windows["body.conv"] = LearnedWindow(np.zeros((4, 3), np.float32))
    assert Quantizers(network).operate(node, parameters, x) == pytest.approx(expected, abs=1e-5)
