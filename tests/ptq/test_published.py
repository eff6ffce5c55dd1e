"""QDrop's pass and BRECQ's second one as their official code has them, beside the default."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.nn.graph import INPUT, Block
from aquant_ref.ptq import Config, Iteration, observe, quantize_with
from aquant_ref.ptq.adaround import AdaRound, regularizer_beta
from aquant_ref.ptq.learner import Learner
from aquant_ref.ptq.methods import FIRST, METHODS
from aquant_ref.ptq.network import LearnedNetwork
from aquant_ref.ptq.observers import OBSERVED, Observer
from aquant_ref.ptq.pass_config import ReconstructionPass
from aquant_ref.ptq.pipeline import learn
from aquant_ref.ptq.reconstruction import coin_flips, run_pass
from tests.ptq import small

IMAGES = small.graph().to_float(small.images())
PUBLISHED = replace(FIRST, iterations=3, batch=8, mixing="qdrop")


def observed() -> LearnedNetwork:
    return observe(small.graph(), small.parameters(), IMAGES, Config("rtn", 2, 2))


def block(name: str) -> Block:
    return next(each for each in small.graph().blocks() if each.name == name)


def rounded(network: LearnedNetwork, name: str, x: np.ndarray) -> np.ndarray:
    tensor = network.tensors[name]
    low = -tensor.zero_point
    return np.clip(np.floor(x / tensor.scale + 0.5), low, low + tensor.qmax) * tensor.scale


def test_a_block_owns_the_quantizer_of_its_output_and_first_and_last_layers_are_learned() -> None:
    def names(unit: str, mixing: str) -> set[str]:
        return set(Learner(observed(), block(unit), replace(PUBLISHED, mixing=mixing)).variables)

    weights = {"weight/body.conv1", "weight/body.conv2"}
    assert names("body", "genie") == weights | {"scale/stem.relu", "scale/body.relu1"}
    assert names("body", "qdrop") == weights | {"scale/body.relu1", "scale/body.relu2"}
    assert names("stem", "genie") == names("head", "genie") == set()
    assert names("stem", "qdrop") == {"weight/stem.conv", "scale/stem.relu"}
    assert names("head", "qdrop") == {"weight/head.linear", "scale/head.pool"}


def test_the_first_error_is_that_of_what_is_mixed_and_quantized_once() -> None:
    """The second block, from the rule: its input is quantized before it is mixed, and is not again;
    each tensor in it and its output stay in floating point with probability 1/2."""
    network = observed()
    network.codes = {name: codes.copy() for name, codes in network.codes.items()}
    seen: dict[str, float] = {}

    def keep(iteration: Iteration) -> None:
        seen.setdefault(iteration.block, iteration.error)

    settings = replace(PUBLISHED, iterations=1, weight_rate=0.0, scale_rate=0.0)
    run_pass(network, IMAGES, settings, seed=(4,), callback=keep)
    after = observed()
    run_pass(after, IMAGES, settings, seed=(4,))
    graph, weights = after.graph, after.weights()
    exact = graph.evaluate(after.parameters, {INPUT: IMAGES})
    stem = rounded(
        after, "stem.relu", graph.evaluate(weights, {INPUT: IMAGES})["stem.relu"]
    )  # its weights are learned: those after the pass made what the body reads

    rng = np.random.default_rng([4, 1])
    chosen = np.sort(rng.integers(0, len(IMAGES), 8))
    x = np.where(coin_flips(rng, stem[chosen].shape), stem[chosen], exact["stem.relu"][chosen])
    soft = dict(weights)
    for name in ("body.conv1", "body.conv2"):
        rounding = AdaRound(after.parameters[f"{name}.weight"], after.scales[name])
        soft[f"{name}.weight"] = rounding.soft(rounding.start)

    def dropped(name: str, value: np.ndarray) -> np.ndarray:
        if name not in after.tensors:
            return value
        flips = coin_flips(rng, value.shape)
        return np.where(flips, rounded(after, name, value), value)

    values = graph.evaluate(
        soft, {"stem.relu": x.astype(np.float32)}, nodes=block("body").nodes, hook=dropped
    )
    difference = values["body.relu2"] - exact["body.relu2"][chosen]
    expected = (difference**2).sum(axis=1).mean()
    assert seen["body"] == pytest.approx(expected, rel=1e-5)


def test_brecq_learns_scales_on_the_inputs_of_the_float_network() -> None:
    """Its first error in the second block: |e|^2.4 of the block alone, whose output it owns."""
    config = Config("brecq", 2, 2, iterations=4, batch=8)
    first, second = config.stages()
    assert isinstance(second, ReconstructionPass)
    assert (second.iterations, second.relative, second.weights) == (1, False, False)
    network = observed()
    learn(network, IMAGES, config)
    seen: dict[str, float] = {}
    network = observed()
    run_pass(
        network,
        IMAGES,
        second,
        seed=(4,),
        callback=lambda each: seen.setdefault(each.block, each.error) and None,
    )
    network = observed()
    graph, weights = network.graph, network.weights()
    exact = graph.evaluate(network.parameters, {INPUT: IMAGES})
    chosen = np.sort(np.random.default_rng([4, 1]).integers(0, len(IMAGES), 8))
    values = graph.evaluate(
        weights,
        {"stem.relu": exact["stem.relu"][chosen]},
        nodes=block("body").nodes,
        hook=lambda name, x: rounded(network, name, x) if name in network.tensors else x,
    )
    error = abs(values["body.relu2"] - exact["body.relu2"][chosen]) ** 2.4
    assert seen["body"] == pytest.approx(error.sum(axis=1).mean(), rel=1e-5)


def test_a_rate_counts_in_the_scale_or_as_it_is() -> None:
    for relative in (True, False):
        settings = replace(PUBLISHED, relative=relative, scale_rate=1e-3)
        learner = Learner(observed(), block("body"), settings)
        before = float(learner.variables["scale/body.relu2"])
        learner.step({"scale/body.relu2": np.asarray(1.0)}, 0)
        moved = before - float(learner.variables["scale/body.relu2"])
        assert moved == pytest.approx(1e-3 * (before if relative else 1), rel=1e-4)


def test_the_regularizer_counts_from_1() -> None:
    """Of 10 iterations the first 2 have none: numbers 0 and 1, or counted from 1, 1 alone."""
    settings = replace(PUBLISHED, iterations=10)
    ours, theirs = (
        Learner(observed(), block("body"), replace(settings, mixing=mixing))
        for mixing in ("genie", "qdrop")
    )
    assert [ours.penalty(ours.variables, k) > 0 for k in range(3)] == [False, False, True]
    assert [theirs.penalty(theirs.variables, k) > 0 for k in range(3)] == [False, True, True]
    assert theirs.penalty(theirs.variables, 4) == ours.penalty(ours.variables, 5)
    assert regularizer_beta(2, 10) == 20


@pytest.mark.parametrize("method", ["qdrop", "aquant", "aquant-feedback-bias", "qdrop-e2e"])
def test_mixing_is_a_setting_of_the_first_pass_alone(method: str) -> None:
    config = Config(method, 2, 2, iterations=5, batch=8, mixing="qdrop")
    first, *others = config.stages()
    assert isinstance(first, ReconstructionPass)
    assert first.mixing == "qdrop"
    assert tuple(others) == replace(config, mixing="genie").stages()[1:]
    model = quantize_with(small.graph(), small.parameters(), small.images(), config)
    blocks = [each["block"] for each in model.source["block_errors"] if each["pass"] == "qdrop"]
    assert blocks == ["stem", "body", "inverted", "tail", "head"]


@pytest.mark.parametrize("method", METHODS)
def test_methods_that_drop_nothing_are_the_same_with_either_mixing(method: str) -> None:
    one, two = (Config(method, mixing=mixing).stages() for mixing in ("genie", "qdrop"))
    drops = any(isinstance(stage, ReconstructionPass) and stage.dropping for stage in one)
    assert (one != two) == drops


def test_a_search_can_read_every_image() -> None:
    """A value beyond the limit, and so large that it matters, changes only that search."""
    rng = np.random.default_rng(0)
    first = abs(rng.standard_normal((1, OBSERVED))).astype(np.float32)
    later = 3 * abs(rng.standard_normal((3, OBSERVED))).astype(np.float32)
    scales: dict[int, Any] = {}
    for most in (OBSERVED, 4 * OBSERVED):
        observer = Observer("x", most)
        for images in (first, later):
            observer.look(images)
        scales[most] = observer.search(2)
    both = Observer("x", 4 * OBSERVED)
    both.look(np.concatenate([first, later]))
    assert scales[4 * OBSERVED] == both.search(2) != scales[OBSERVED]
    assert Config("qdrop", search="qdrop-all").scale_search == "qdrop-all"
    with pytest.raises(InputError, match="mixing"):
        Config(mixing="brecq")
