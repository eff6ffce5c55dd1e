"""The last stage: biases, scales and borders of the whole network, for the logits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from autograd import grad

from aquant_ref.errors import InputError
from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.straight_through import CodeRange, ste_quantize
from aquant_ref.ptq import METHODS, Config, observe, quantize_with
from aquant_ref.ptq.border_spec import BorderSpec
from aquant_ref.ptq.learner import Learner
from aquant_ref.ptq.losses import divergence
from aquant_ref.ptq.methods import LAST
from aquant_ref.ptq.network import LearnedNetwork, Quantizers
from aquant_ref.ptq.pass_config import ReconstructionPass
from aquant_ref.ptq.pipeline import feed_back, learn
from aquant_ref.ptq.placement import units
from aquant_ref.ptq.reconstruction import run_block, run_pass
from tests.ptq import small

SETTINGS = replace(LAST, iterations=30, batch=24)
IMAGES = small.graph().to_float(small.images())


def observed(bits: int = 2) -> LearnedNetwork:
    network = observe(small.graph(), small.parameters(), IMAGES, Config("rtn", bits, bits))
    network.parameters = {k: v.astype(np.float64) for k, v in network.parameters.items()}
    return network


def loss_of(network: LearnedNetwork, settings: Any = SETTINGS) -> tuple[Learner, Any]:
    """The learner of a network, and its loss on all images as a function of its variables."""
    (block,) = units(network.graph, "network")
    learner = Learner(network, block, settings)
    x = IMAGES.astype(np.float64)
    target = network.graph.run(network.parameters, x)

    def loss(variables: Any) -> Any:
        quantizers = Quantizers(network, variables)
        parameters = learner.parameters(variables)
        logits = run_block(network.graph, parameters, block, {INPUT: x}, quantizers)
        return divergence(logits, target)

    return learner, loss


def test_it_learns_all_biases_and_scales_and_no_weight() -> None:
    network = observed()
    learner, _ = loss_of(network)
    layers = (*small.INNER, "stem.conv", "tail.conv", "head.linear")
    biases = {f"bias/{name}" for name in layers}
    scales = {f"scale/{name}" for name in network.tensors if name != INPUT}
    assert learner.variables.keys() == biases | scales
    bent, _ = loss_of(network, replace(SETTINGS, border=BorderSpec()))
    borders = {name for name in bent.variables if name.startswith("border/")}
    narrow = {name for name, tensor in network.tensors.items() if tensor.bits == 2}
    assert borders == {f"border/{name}" for name in narrow}  # what leads to the head has 8 bits


def fine() -> LearnedNetwork:
    """With 20 bits for each tensor: rounding is nearly straight."""
    network = observed(16)
    for name, tensor in network.tensors.items():
        scale = tensor.scale / 2 ** (20 - tensor.bits)
        zero_point = tensor.zero_point * 2 ** (20 - tensor.bits)
        network.tensors[name] = replace(tensor, scale=scale, bits=20, zero_point=zero_point)
    return network


def moved(learner: Learner) -> dict[str, np.ndarray]:
    """The variables in float64, with biases away from where the loss is flat."""
    rng = np.random.default_rng(5)
    return {
        name: value + 0.3 * rng.standard_normal(value.shape) * name.startswith("bias/")
        for name, value in learner.variables.items()
    }


@pytest.mark.parametrize("name", ["bias/stem.conv", "bias/inverted.depth", "bias/head.linear"])
def test_the_gradient_of_a_bias_is_that_of_finite_differences(name: str) -> None:
    learner, loss = loss_of(fine())
    variables = moved(learner)
    gradient = grad(loss)(variables)[name]
    numeric = np.empty_like(gradient)
    for k in range(len(numeric)):
        step = 1e-3 * (np.arange(len(numeric)) == k)
        up, down = (loss({**variables, name: variables[name] + s}) for s in (step, -step))
        numeric[k] = (up - down) / 2e-3
    assert gradient == pytest.approx(numeric, rel=0.02, abs=0.02 * abs(numeric).max())


@pytest.mark.parametrize("name", ["stem.relu", "body.relu1", "inverted.relu6b"])
def test_the_gradient_of_a_scale_is_that_of_finite_differences(name: str) -> None:
    """Where much is clipped; the rest hardly changes with the scale of fine codes."""
    network = fine()
    tensor = network.tensors[name]
    network.tensors[name] = replace(tensor, scale=tensor.scale / 2)
    learner, loss = loss_of(network)
    variables = moved(learner)
    name = f"scale/{name}"
    step = 1e-3 * variables[name]
    up, down = (loss({**variables, name: variables[name] + s}) for s in (step, -step))
    numeric = (up - down) / (2 * step)
    assert abs(numeric * variables[name]) > 1e-4
    assert grad(loss)(variables)[name] == pytest.approx(numeric, rel=0.05)


def test_the_gradient_of_a_border_is_what_the_rest_of_the_network_hands_back() -> None:
    """The rounding's own rule, applied to the gradient of all that follows it."""
    network = observed()
    learner, loss = loss_of(network, replace(SETTINGS, border=BorderSpec()))
    name = "inverted.relu6a"
    ours = grad(loss)(learner.variables)[f"border/{name}"]
    graph, tensor = network.graph, network.tensors[name]
    quantizers = Quantizers(network, learner.variables)
    nodes = graph.nodes[: 1 + [node.name for node in graph.nodes].index(name)]
    x = {INPUT: IMAGES.astype(np.float64)}
    weights = network.weights()
    real = graph.evaluate(weights, x, nodes=nodes[:-1], hook=quantizers.store)
    real |= graph.evaluate(weights, real, nodes=nodes[-1:])
    target = graph.run(network.parameters, x[INPUT])
    codes = CodeRange(-tensor.zero_point, tensor.qmax - tensor.zero_point)

    def after(coefficients: Any) -> Any:
        stored = {**real, name: ste_quantize(real[name], tensor.scale, coefficients, codes=codes)}
        values = graph.evaluate(
            weights, stored, nodes=graph.nodes[len(nodes) :], hook=quantizers.store
        )
        return divergence(values[graph.output], target)

    theirs = grad(after)(np.zeros((6, 3)))
    assert abs(theirs).max() > 0
    assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize(
    ("method", "border"),
    [("rtn", ""), ("aquant", ""), ("aquant", "row"), ("aquant-feedback", "")],
)
def test_it_brings_the_logits_nearer_and_keeps_the_weights(method: str, border: str) -> None:
    parameters = small.parameters()
    parameters["head.linear.weight"] *= 20  # classes that differ
    config = Config(f"{method}-e2e", 2, 2, iterations=40, batch=24, border=border)
    last = config.stages()[-1]
    assert isinstance(last, ReconstructionPass)
    network = observe(small.graph(), parameters, IMAGES, config)
    codes = {name: codes.copy() for name, codes in network.codes.items()}
    if method == "aquant-feedback":
        feed_back(network, config.form.feedback)
    (entry,) = run_pass(network, IMAGES, last, seed=(1,))
    assert (entry["pass"], entry["block"]) == ("e2e", "network")
    assert entry["after"] < 0.8 * entry["before"]
    assert all(np.array_equal(network.codes[name], old) for name, old in codes.items())
    if method == "aquant-feedback":
        assert {len(w.coefficients) for w in network.windows.values()} == {4, 6, 36, 54}
        assert all(w.coefficients[:, 1:].any() == 0 for w in network.windows.values())


def test_it_goes_on_from_a_stored_first_pass_to_the_last_bit() -> None:
    config = Config("qdrop-e2e", 2, 2, iterations=5, batch=8)
    whole = quantize_with(small.graph(), small.parameters(), small.images(), config)
    network = observe(small.graph(), small.parameters(), IMAGES, config)
    first = replace(config, method="qdrop")
    learn(network, IMAGES, first)
    learn(network, IMAGES, config, start=len(first.stages()))
    assert network.biases.keys() == {f"{each}" for each in whole.layers}
    again = quantize_with(small.graph(), small.parameters(), small.images(), config)
    assert again.sha256() == whole.sha256()
    scales = {name: tensor.scale for name, tensor in whole.tensors.items()}
    learned = {name: tensor.scale for name, tensor in network.tensors.items()}
    assert scales == pytest.approx(learned, rel=1e-6)


def test_every_method_but_a_rounding_has_one() -> None:
    for method in METHODS:
        if method == "a-rounding":
            with pytest.raises(InputError, match="method"):
                Config("a-rounding-e2e")
        else:
            stages = Config(f"{method}-e2e").stages()
            assert stages[:-1] == Config(method).stages()
            last = stages[-1]
            assert isinstance(last, ReconstructionPass)
            assert (last.unit, last.loss, last.biases) == ("network", "logits", True)
            assert (last.border is not None) == method.startswith("aquant")
    with pytest.raises(InputError, match="qdrop"):
        Config("qdrip-e2e")
