"""One cell of a grid: what it is, the name of its result, and the process that computes it.

Results are files in the grid's folder: a row a cell, and the first pass that the methods of one
seed and bits share, each written whole by the process that computed it.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.experiments.evaluate import evaluate, float_accuracy, tested
from aquant_ref.formats import measured
from aquant_ref.formats.atomic import write_json_atomic
from aquant_ref.formats.kinds import NUMBER
from aquant_ref.ptq import checkpoint
from aquant_ref.ptq.methods import A_ROUNDING, Config
from aquant_ref.ptq.pipeline import learn, observe
from aquant_ref.ptq.reconstruction import network_error
from aquant_ref.ptq.snap import snap
from aquant_ref.threads import set_threads
from aquant_ref.versions import versions

if TYPE_CHECKING:
    from aquant_ref.experiments.inputs import Inputs
    from aquant_ref.experiments.origin import Origin

ERROR_IMAGES = 256  # of the calibration set, for the block error of the finished network


def first_of(config: Config) -> Config:
    """Return the configuration of the first pass of `config` alone: the key of its file."""
    return replace(config, method="qdrop", border="")


def begins_with_qdrop(config: Config) -> bool:
    """Whether the first stage of `config` is that of `qdrop`, which is computed once for all."""
    stages = config.stages()
    return bool(stages) and stages[0] == first_of(config).stages()[0]


@dataclass
class _Process:
    """What one worker process keeps: what its rows are computed from, how many images calibrate,
    the grid's folder, inputs by seed, the float accuracy.
    """

    origin: Origin
    images: int
    folder: Path
    inputs: dict[int, Inputs] = field(default_factory=dict)
    float_top1: float | None = None


_process: _Process | None = None


def start_process(origin: Origin, images: int, folder: Path) -> None:
    """Prepare a worker process: one thread, and an end when the parent has ended."""
    global _process
    with suppress(OSError):  # there is no standard error
        os.dup2(2, 1)  # what a network's file prints is no part of the result
    set_threads(1)  # one process a core
    _process = _Process(origin, images, folder)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()


def _inputs(config: Config) -> Inputs:
    assert _process is not None
    if config.seed not in _process.inputs:
        _process.inputs.clear()  # one seed at a time in memory
        _process.inputs[config.seed] = _process.origin.load(
            images=_process.images, seed=config.seed
        )
    return _process.inputs[config.seed]


def _first_path(config: Config) -> Path:
    assert _process is not None
    key = _process.origin.key(first_of(config), _process.images)
    return _process.folder / f"first-{key}.npz"


def first_pass(config: Config) -> None:
    """Compute the first pass of `config` and store it, unless that has been done."""
    path = _first_path(config)
    if os.path.exists(path):
        return
    inputs = _inputs(config)
    started = time.monotonic()
    images = inputs.graph.to_float(inputs.calibration)
    network = observe(inputs.graph, inputs.parameters, images, config)
    errors = learn(network, images, config)
    seconds = time.monotonic() - started
    checkpoint.save(path, network, {"block_errors": errors, "seconds": seconds})


def compute(config: Config) -> None:
    """Compute one cell and store its row."""
    assert _process is not None
    inputs = _inputs(config)
    images = inputs.graph.to_float(inputs.calibration)
    if _process.float_top1 is None:
        _process.float_top1 = float_accuracy(inputs)
    started = time.monotonic()
    network = observe(inputs.graph, inputs.parameters, images, config)
    errors: list[dict[str, Any]] = []
    start, first_seconds = 0, 0.0
    if begins_with_qdrop(config):
        path = _first_path(config)
        with measured.advice(measured.OWN):
            stored = checkpoint.load(path, network)
            measured.check(path, stored, {"block_errors": list, "seconds": NUMBER})
        start, errors, first_seconds = 1, stored["block_errors"], stored["seconds"]
    errors = errors + learn(network, images, config, start=start)
    learned = time.monotonic() - started
    error = None  # a-rounding is not in the network, which it starts from
    if config.method != A_ROUNDING:
        error = network_error(network, images[:ERROR_IMAGES])
    accuracy = evaluate(inputs, config, snap(network, {}), dtype=np.float32)
    key = _process.origin.key(config, _process.images)
    row = {
        "key": key,
        **_process.origin.row(),
        "method": config.method,
        "weight_bits": config.weight_bits,
        "act_bits": config.act_bits,
        "border": config.recorded_border,
        **config.published(),
        "seed": config.seed,
        "top1": accuracy,
        "float_top1": _process.float_top1,
        "block_error": error,
        "tested": len(tested(inputs, config)),
        "seconds": round(first_seconds + learned, 1),
        "iterations": config.iterations,
        "batch": config.batch,
        "images": _process.images,
        "block_errors": errors,
        "versions": versions(),
    }
    write_json_atomic(_process.folder / f"{key}.json", row)
