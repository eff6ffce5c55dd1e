"""Networks of hundreds of nodes in a row, and of diamonds, take time in proportion."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from aquant_ref import oracle
from aquant_ref.certification.certificate import certify
from aquant_ref.certification.extremes import Reach
from aquant_ref.comparison.agreement import simulation_of
from aquant_ref.comparison.blame import Judge
from aquant_ref.engine.fast.run import Engine
from aquant_ref.engine.instruction import Instruction
from aquant_ref.engine.program import Program
from aquant_ref.errors import InputError
from aquant_ref.lowering.lowerings import lower, lowering_of
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.training.train import initial_parameters
from aquant_ref.ptq import Config, quantize_with

DEPTH, DIAMONDS, SUMS = 100, 40, 25
CALLS = 90  # that a walk may nest: fewer than the network is deep, more than anything else needs
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 1, 1, 2)).astype(np.uint8)


def deep() -> Graph:
    """Sums, maxima, concats with itself, sums with itself and flattenings, in a row."""
    layer = Builder((1, 1, 2))
    with layer.block("all"):
        x = layer("relu", "relu", layer("conv", "conv2d", INPUT, channels=1, kernel=1))
        total = layer("term", "conv2d", x, channels=1, kernel=1)
        for number in range(DEPTH):
            term = layer(f"term{number}", "conv2d", x, channels=1, kernel=1)
            total = layer(f"total{number}", "add", term, total)
        x = layer("total", "relu", total)
        for number in range(DEPTH):
            x = layer(f"max{number}", "max_pool", x, kernel=1)
        x = layer("concat1", "concat", layer("concat0", "concat", x, x), x)
        for number in range(SUMS):
            x = layer(f"sum{number}", "relu", layer(f"add{number}", "add", x, x))
        for number in range(DEPTH):
            x = layer(f"flat{number}", "flatten", x)
        layer("linear", "linear", x, channels=1)
    return layer.graph()


@pytest.fixture
def shallow() -> Iterator[None]:
    """Python allows few nested calls."""
    allowed = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + CALLS)
    yield
    sys.setrecursionlimit(allowed)


@pytest.mark.usefixtures("shallow")
def test_a_deep_network_goes_the_whole_way_without_recursion() -> None:
    graph = deep()
    config = Config("aquant", 3, 3, iterations=1, batch=2)
    model = quantize_with(graph, initial_parameters(graph, 0), IMAGES, config)
    lowering = lowering_of(model, None)
    assert len(certify(lowering)) == SUMS + 5
    run = Engine(lowering.program).run(IMAGES)
    for name, tensor in simulation_of(model, lowering.program).run(IMAGES).items():
        assert np.array_equal(run.get(name, tensor), tensor)
    verdicts = Judge(lowering).judge({INPUT: IMAGES, **run})
    assert not any(each.divergence or each.why for each in verdicts)
    Reach(lowering.program).worst_case("all.linear", 0)
    simulation_of(model, lower(model, "fixed_point")).run(IMAGES)
    exact = oracle.network(model.plain(), IMAGES[0].tolist())
    assert exact["all.linear"] == run["all.linear"][0].tolist()


def diamonds() -> Program:
    """An accumulator that is added to itself 40 times before anything rounds it."""
    no_pad = [[0, 0], [0, 0]]
    conv = Instruction(
        "sum0",
        "conv2d",
        ("image",),
        {"stride": [1, 1], "dilation": [1, 1], "padding": no_pad, "groups": 1},
        {"weight": np.ones((1, 1, 1, 2), np.int8), "zero_point": np.zeros(1, np.int32)},
    )
    ones = {key: np.ones(1, np.int64) for key in ("multiplier_a", "multiplier_b")}
    adds = [
        Instruction(f"sum{n + 1}", "add", (f"sum{n}", f"sum{n}"), {}, ones) for n in range(DIAMONDS)
    ]
    codes = Instruction(
        "codes",
        "threshold",
        (f"sum{DIAMONDS}",),
        {"least": 0},
        {"thresholds": np.array([[1 << 41, 100 << 40]])},
    )
    linear = {
        "weight": np.ones((1, 1), np.int8),
        "bias": np.zeros(1, np.int32),
        "zero_point": np.zeros(1, np.int32),
    }
    end = [
        Instruction("flat", "flatten", ("codes",), {"positions": 1}),
        Instruction("logits", "linear", ("flat",), {}, linear),
    ]
    return Program((1, 1, 2), (conv, *adds, codes, *end))


def test_diamonds_are_walked_once() -> None:
    program = diamonds()
    last = f"sum{DIAMONDS}"
    assert program.sources("codes") == ("image",)
    low, high = program.bounds[last]
    assert (low.item(), high.item()) == (0, 510 << DIAMONDS)
    reach = Reach(program)
    _, terms = reach.worst_case(last, 0)
    assert [terms.values[0], terms.values[-1]] == [0, 510 << DIAMONDS]
    assert not reach.edge(last).any()
    engine = Engine(program)
    assert engine.compute(last, {"image": IMAGES}).ravel().tolist() == [
        int(image.sum()) << DIAMONDS for image in IMAGES
    ]
    with pytest.raises(InputError, match="is made of image"):
        engine.compute(last, {"logits": np.zeros((2, 1), np.int32)})
