"""Networks built by hand: each goes the whole way, or is refused in one line before any work."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.comparison.agreement import simulation_of
from aquant_ref.engine.fast.run import Engine
from aquant_ref.engine.program import Program
from aquant_ref.errors import InputError
from aquant_ref.lowering.lowerings import lower
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.nn.graph import Graph
from aquant_ref.ptq import METHODS, Config, observe, quantize_with
from tests.ptq import zoo

SETTINGS = {
    "aquant": {"method": "aquant"},
    "adaround": {"method": "adaround", "signed": True},
    "row": {"method": "aquant", "border": "row/window/closed"},
}
# Every network with one setting, and every method with one network.
CASES = [*zip(zoo.WORKS, cycle(SETTINGS), strict=False), ("read_by_the_head", "row")]
CASES += [("a_hidden_linear_layer", method) for method in METHODS]


def whole_way(graph: Graph, config: Config, folder: Path) -> None:
    model = quantize_with(graph, zoo.parameters(graph), zoo.images(), config)
    model.save(folder / "model.npz")
    assert QuantizedModel.load(folder / "model.npz").sha256() == model.sha256()
    if config.not_lowered():
        simulation_of(model, Program((1, 1, 1), ())).run(zoo.images())
        return
    leaky = any(node.op == "leaky_relu" for node in graph.nodes)
    for lowering in ("threshold",) if leaky else ("threshold", "fixed_point"):
        program = lower(model, lowering)
        program.save(folder / "program.npz")
        engine = Engine(Program.load(folder / "program.npz")).run(zoo.images())
        simulated = simulation_of(model, program).run(zoo.images())
        for name, codes in engine.items():
            assert np.array_equal(codes, simulated[name]), name


@pytest.mark.parametrize(("name", "setting"), CASES)
def test_a_network_that_is_quantized_is_saved_loaded_lowered_and_exact(
    name: str, setting: str, tmp_path: Path
) -> None:
    options: Any = SETTINGS.get(setting, {"method": setting})
    config = Config(**{"weight_bits": 3, "act_bits": 3, "iterations": 1, "batch": 2, **options})
    if name == "read_by_the_head" and setting == "row":
        with pytest.raises(
            InputError, match=r"^body\.two: reads body\.one_act.*8 bits; row and window"
        ):
            whole_way(zoo.graph(zoo.WORKS[name]), config, tmp_path)
        return
    whole_way(zoo.graph(zoo.WORKS[name]), config, tmp_path)


@pytest.mark.parametrize("method", ["rtn", "adaround", "aquant", "aquant-closed-form"])
@pytest.mark.parametrize("name", zoo.REFUSED)
def test_a_network_that_cannot_be_lowered_is_refused_before_any_work(
    name: str, method: str
) -> None:
    why, write = zoo.REFUSED[name]
    graph = zoo.graph(write)
    if "block" in why and method == "rtn":
        pytest.skip("nothing is learned block by block")
    config = Config(method, 3, 3, iterations=2**31 - 1, batch=2)
    for door in (quantize_with, observe):
        images: Any = zoo.images() if door is quantize_with else graph.to_float(zoo.images())
        with pytest.raises(InputError, match=why):
            door(graph, zoo.parameters(graph), images, config)


@pytest.mark.parametrize("count", [1, 2])
def test_one_image_and_equal_images_are_enough_where_nothing_is_learned(count: int) -> None:
    graph = zoo.graph(zoo.WORKS["no_block"])
    model = quantize_with(
        graph, zoo.parameters(graph), zoo.images()[[0] * count], Config("rtn", 4, 4)
    )
    assert lower(model).output == "linear"


def test_fewer_images_than_a_batch_are_refused_before_they_are_looked_at() -> None:
    graph = zoo.graph(zoo.WORKS["no_block"])
    broken = {**zoo.parameters(graph), ".one.weight": None}
    with pytest.raises(InputError, match="images: 1 calibration image, fewer than a batch of 2"):
        quantize_with(graph, broken, zoo.images(1), Config("qdrop", batch=2))
