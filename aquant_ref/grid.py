"""A grid of runs: methods x bits x seeds on one model and data set, in all cores, resumable.

Every finished cell is a file of its own in the folder `<out>.cells`, written by the process that
computed it, and so are first passes, which methods of one seed share. Whatever is killed, and when,
a second call finds what was finished, there or in the table, and computes the rest; then it writes
the table (`results`).
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aquant_ref import results
from aquant_ref.errors import InputError
from aquant_ref.evaluate import evaluate, float_accuracy, tested
from aquant_ref.formats.atomic import (
    check_writable_file,
    make_directory,
    write_json_atomic,
)
from aquant_ref.inputs import Inputs
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq import checkpoint
from aquant_ref.ptq.methods import A_ROUNDING, Config, learn, observe
from aquant_ref.ptq.reconstruction import network_error
from aquant_ref.ptq.snap import snap
from aquant_ref.threads import available_cores, set_threads
from aquant_ref.versions import versions

ERROR_IMAGES = 256  # of the calibration set, for the block error of the finished network


@dataclass(frozen=True)
class Grid:
    """What to run: each of `configs` on `model` and `data_set`; `images` calibration images."""

    model: str
    data_set: str
    configs: tuple[Config, ...]
    images: int = 1024
    weights: str | None = None

    def __post_init__(self) -> None:
        for config in self.configs:
            if self.images < max(1, config.batch):
                raise InputError(
                    f"--images: {self.images} calibration images are fewer than a batch of "
                    f"{config.batch}"
                )

    def load(self, seed: int, progress: Progress = quiet) -> Inputs:
        """The inputs of the runs with this seed."""
        return Inputs.load(
            self.model,
            self.data_set,
            images=self.images,
            seed=seed,
            weights=self.weights,
            progress=progress,
        )


@dataclass
class _Process:
    """What one worker process keeps: the grid, its folder, inputs by seed, the float accuracy."""

    grid: Grid
    folder: Path
    sha256: str
    inputs: dict[int, Inputs] = field(default_factory=dict)
    float_top1: float | None = None


_process: _Process | None = None


def parse(method: str, bits: str, **rest: Any) -> Config:
    """A cell's configuration from "METHOD" or "METHOD@FORM" and "W2A2"; raises InputError."""
    name, _, form = method.partition("@")
    weight, a, act = bits.removeprefix("W").partition("A")
    if not (bits.startswith("W") and a and weight.isdecimal() and act.isdecimal()):
        raise InputError(f"--bits: {bits!r} is not of the form W2A2")
    return Config(name, int(weight), int(act), border=form, **rest)


def run(
    grid: Grid, out: Path, *, processes: int | None = None, progress: Progress = quiet
) -> list[dict[str, Any]]:
    """Compute what the table `out`, a JSON file, does not have yet of the grid, and write it.

    Returns the rows of the grid. Raises InputError for bad input, before any work, and where a cell
    cannot be computed.
    """
    for path in (out, out.with_suffix(".md")):
        check_writable_file(path)
    known = {row["key"]: row for row in results.load(out)}
    folder = out.with_name(f"{out.stem}.cells")
    inputs = grid.load(grid.configs[0].seed, progress)
    sha256 = hashlib.sha256(inputs.weights.read_bytes()).hexdigest()
    del inputs
    keys = {config: _key(grid, sha256, config) for config in grid.configs}

    def collect() -> None:
        for key in keys.values():
            if key not in known and (path := folder / f"{key}.json").exists():
                known[key] = json.loads(path.read_text(encoding="utf-8"))

    collect()
    missing = [config for config, key in keys.items() if key not in known]
    if missing:
        make_directory(folder)
        workers = min(processes or available_cores(), len(missing))
        with ProcessPoolExecutor(
            workers,
            multiprocessing.get_context("spawn"),
            _start_process,
            (grid, folder, sha256),
        ) as pool:
            try:
                _run_all(pool, workers, missing, progress)
            except BaseException as error:
                for child in multiprocessing.active_children():
                    child.terminate()
                if isinstance(error, BrokenProcessPool):
                    raise InputError(
                        "a worker process was killed, perhaps for lack of memory; what is finished "
                        "is kept, call again"
                    ) from error
                raise
    collect()
    results.save(out, results.merge(known.values(), ()))
    return [known[key] for key in keys.values()]


def _run_all(
    pool: ProcessPoolExecutor, workers: int, missing: Sequence[Config], progress: Progress
) -> None:
    """Hand out work as workers get free: cells whose first pass is there, else first passes."""
    waiting = list(missing)
    firsts = dict.fromkeys(_shared_first(missing))  # those still to be made
    running: dict[Future[None], Config | None] = {}
    blocked: set[Config] = set()  # first passes being made

    def submit() -> None:
        while len(running) < workers:
            ready = [c for c in waiting if _first_of(c) not in firsts]
            if ready:
                waiting.remove(ready[0])
                running[pool.submit(_cell, ready[0])] = None
                continue
            startable = [f for f in firsts if f not in blocked]
            if not startable:
                return
            blocked.add(startable[0])
            running[pool.submit(_first_pass, startable[0])] = startable[0]

    for _ in progress(range(len(missing)), "cells"):
        finished = False
        while not finished:
            submit()
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            future = done.pop()
            first = running.pop(future)
            future.result()
            if first is None:
                finished = True
            else:
                del firsts[first]


def _first_of(config: Config) -> Config:
    """The configuration of the first pass alone that `config` begins with: the key of its file."""
    return Config(
        "qdrop",
        config.weight_bits,
        config.act_bits,
        config.iterations,
        config.batch,
        config.seed,
    )


def _begins_with_qdrop(config: Config) -> bool:
    stages = config.stages()
    return bool(stages) and stages[0] == _first_of(config).stages()[0]


def _shared_first(configs: Sequence[Config]) -> list[Config]:
    return [_first_of(config) for config in configs if _begins_with_qdrop(config)]


def _key(grid: Grid, sha256: str, config: Config) -> str:
    """A name for a result: a readable start, and a hash of all that it depends on."""
    what = {
        "model": grid.model,
        "data": grid.data_set.partition(":")[0],
        "images": grid.images,
        "weights": sha256,
        "config": asdict(config),
        "stages": [asdict(each) for each in config.stages()],
        "form": str(config.form) if config.has_border else "",
    }
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]
    start = f"{config.method}-W{config.weight_bits}A{config.act_bits}-{config.seed}"
    return f"{start}-{digest}"


# In the worker processes


def _start_process(grid: Grid, folder: Path, sha256: str) -> None:
    global _process
    set_threads(1)  # one process a core
    _process = _Process(grid, folder, sha256)
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
        _process.inputs[config.seed] = _process.grid.load(config.seed)
    return _process.inputs[config.seed]


def _first_path(config: Config) -> Path:
    assert _process is not None
    first = _first_of(config)
    return _process.folder / f"first-{_key(_process.grid, _process.sha256, first)}.npz"


def _first_pass(config: Config) -> None:
    """Compute the first pass of `config` and store it, unless that has been done."""
    path = _first_path(config)
    if path.exists():
        return
    inputs = _inputs(config)
    started = time.monotonic()
    images = inputs.graph.to_float(inputs.calibration)
    network = observe(inputs.graph, inputs.parameters, images, config)
    errors = learn(network, images, config)
    seconds = time.monotonic() - started
    checkpoint.save(path, network, {"block_errors": errors, "seconds": seconds})


def _cell(config: Config) -> None:
    """Compute one cell and store its row."""
    assert _process is not None
    inputs = _inputs(config)
    grid = _process.grid
    images = inputs.graph.to_float(inputs.calibration)
    if _process.float_top1 is None:
        _process.float_top1 = float_accuracy(inputs)
    started = time.monotonic()
    network = observe(inputs.graph, inputs.parameters, images, config)
    errors: list[dict[str, Any]] = []
    start, first_seconds = 0, 0.0
    if _begins_with_qdrop(config):
        stored = checkpoint.load(_first_path(config), network)
        start, errors, first_seconds = 1, stored["block_errors"], stored["seconds"]
    errors = errors + learn(network, images, config, start=start)
    learned = time.monotonic() - started
    error = None  # a-rounding is not in the network, which it starts from
    if config.method != A_ROUNDING:
        error = network_error(network, images[:ERROR_IMAGES])
    accuracy = evaluate(inputs, config, snap(network, {}), dtype=np.float32)
    key = _key(grid, _process.sha256, config)
    row = {
        "key": key,
        "model": grid.model,
        "data": grid.data_set.partition(":")[0],
        "method": config.method,
        "weight_bits": config.weight_bits,
        "act_bits": config.act_bits,
        "border": str(config.form) if config.has_border else "",
        "seed": config.seed,
        "top1": accuracy,
        "float_top1": _process.float_top1,
        "block_error": error,
        "tested": len(tested(inputs, config)),
        "seconds": round(first_seconds + learned, 1),
        "iterations": config.iterations,
        "batch": config.batch,
        "images": grid.images,
        "weights_sha256": _process.sha256,
        "block_errors": errors,
        "versions": versions(),
    }
    write_json_atomic(_process.folder / f"{key}.json", row)
