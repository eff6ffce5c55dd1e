"""An iteration of block reconstruction beside the same written in torch."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.nn.graph import INPUT, Block
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.learner import Learner
from aquant_ref.ptq.methods import Config
from aquant_ref.ptq.network import LearnedNetwork
from aquant_ref.ptq.pass_config import ReconstructionPass
from aquant_ref.ptq.pipeline import observe
from aquant_ref.ptq.placement import units
from aquant_ref.ptq.reconstruction import Cache, learn, run_block
from aquant_ref.threads import set_threads
from tests.bench.engine import inputs
from tests.bench.rows import TIME, Goal, Row, compared

Array = NDArray[Any]

BLOCK, IMAGES, ITERATIONS, THREADS = "stack2", 256, 20, 2
TORCH = "the same written in torch"
GOALS = {"qdrop": Goal(1.0, 2.0, TIME), "aquant": Goal(1.0, 1.5, TIME)}
WORK = {"qdrop": "QDrop", "aquant": "AQuant per row and fused"}
CONFIGS = {
    "qdrop": Config("qdrop", 2, 2, ITERATIONS),
    "aquant": Config("aquant", 2, 2, ITERATIONS, border="row/window"),
}


class Setting:
    """A network before a pass, one of its blocks, and what that reads and should give."""

    def __init__(
        self, network: LearnedNetwork, block: Block, settings: ReconstructionPass, x: Array
    ) -> None:
        self.network, self.block, self.settings = network, block, settings
        (name,) = block.inputs
        step = network.tensors[name].scale
        self.cache = Cache({name: x}, {name: (x + step * np.float32(0.1)).astype(x.dtype)})
        self.target = run_block(network.graph, network.parameters, block, {name: x}, None)

    def learner(self) -> Learner:
        """The variables where the pass starts, on a network of its own."""
        return Learner(deepcopy(self.network), self.block, self.settings)


@cache
def setting(name: str) -> Setting:
    """The pass of `CONFIGS[name]` that is measured, its last, with all its iterations."""
    given, config = inputs(), CONFIGS[name]
    pixels = given.graph.to_float(given.calibration[:IMAGES])
    network = observe(given.graph, given.parameters, pixels, config)
    settings = config.stages()[-1]
    assert isinstance(settings, ReconstructionPass)
    settings = replace(settings, iterations=ITERATIONS)
    (block,) = [each for each in units(given.graph, settings.unit) if each.name == BLOCK]
    x = given.graph.evaluate(given.parameters, {INPUT: pixels})[block.inputs[0]]
    return Setting(network, block, settings, x)


def iteration(rounds: int, progress: Progress) -> list[Row]:
    """QDrop's first pass and AQuant's second, on 2 threads and on 1."""
    rows = []
    for name in GOALS:
        for threads in (THREADS, 1):  # the goals are for 2
            set_threads(threads)
            work = (
                f"{ITERATIONS} iterations of {WORK[name]}, {BLOCK} of resnet8, batch "
                f"{CONFIGS[name].batch}, {threads} thread{'s' * (threads > 1)} each"
            )
            goal = GOALS[name] if threads == THREADS else Goal(None, None, TIME)
            rows += compared(
                "iteration",
                work,
                lambda name=name: ours(setting(name)),
                {TORCH: (goal, theirs(setting(name), threads))},
                rounds=rounds,
                progress=progress,
            )
    set_threads(1)
    return rows


def ours(given: Setting) -> None:
    """All iterations of the pass on the block."""
    learn(given.learner(), given.cache, given.target, np.random.default_rng(0), quiet, None)


def theirs(given: Setting, threads: int = 1) -> Any:
    """The same in torch; a sentence where that is not installed."""
    try:
        import torch

        from tests.bench.peers.torch_block import TorchBlock, iterations
    except ImportError:
        return "torch is not installed: pip install torch==2.13.0"
    torch.set_num_threads(threads)
    (name,) = given.block.inputs
    tensors = (given.cache.exact[name], given.cache.quantized[name], given.target)
    exact, quantized, target = map(torch.tensor, tensors)
    return lambda: iterations(TorchBlock(given.learner()), exact, quantized, target)
