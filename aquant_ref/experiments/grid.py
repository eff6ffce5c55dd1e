"""Run methods x bits x seeds on one model and data set, on all cores; interrupted runs resume.

Each finished cell is a file in the folder `<out>.cells`, and so is each first pass. A second call
finds what is finished, there or in the table, computes the rest, and writes the table (`table`).
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from aquant_ref.checks import takes_functions
from aquant_ref.errors import InputError
from aquant_ref.experiments import table as rows_of
from aquant_ref.experiments.experiment import Experiment, one_origin
from aquant_ref.experiments.worker import (
    begins_with_qdrop,
    compute,
    first_of,
    first_pass,
    start_process,
)
from aquant_ref.formats.atomic import make_directory
from aquant_ref.formats.temporary import remove_abandoned
from aquant_ref.progress import Progress, Say, quiet, silent
from aquant_ref.ptq.methods import Config
from aquant_ref.threads import available_cores


def parse(method: str, bits: str, **rest: Any) -> Config:
    """Return the configuration of "METHOD" or "METHOD@FORM" and "W2A2"; raises InputError."""
    name, _, form = method.partition("@")
    return Config.of(bits, name, border=form, **rest)


@takes_functions
def accuracy_table(
    experiments: Sequence[Experiment],
    out: Path,
    *,
    processes: int | None = None,
    progress: Progress = quiet,
    say: Say = silent,
) -> list[dict[str, Any]]:
    """Compute the rows that the table `out`, a JSON file, does not have yet, and write it.

    The experiments are of one model, its weights, and one data set. Returns their rows. Raises
    InputError for bad input, before any work, and where a cell cannot be computed.
    """
    table = rows_of.table(out)
    origin = one_origin(experiments)
    first = experiments[0]
    folder = out.with_name(f"{out.stem}.cells")
    keys = {each.config: origin.key(each.config, first.images) for each in experiments}
    known = table.read()
    remove_abandoned(folder)

    def collect() -> None:
        for key in keys.values():
            if key not in known and os.path.exists(path := folder / f"{key}.json"):
                known[key] = rows_of.load_row(path)

    collect()
    missing = [config for config, key in keys.items() if key not in known]
    if missing:
        # what cannot be loaded is refused here, and not by every worker
        origin.load(images=first.images, seed=missing[0].seed, progress=progress, say=say)
        make_directory(folder)
        workers = min(processes or available_cores(), len(missing))
        with ProcessPoolExecutor(
            workers,
            multiprocessing.get_context("spawn"),
            start_process,
            (origin, first.images, folder),
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
    rows = [known[key] for key in keys.values()]
    table.add(rows)
    return rows


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
            ready = [c for c in waiting if first_of(c) not in firsts]
            if ready:
                waiting.remove(ready[0])
                running[pool.submit(compute, ready[0])] = None
                continue
            startable = [f for f in firsts if f not in blocked]
            if not startable:
                return
            blocked.add(startable[0])
            running[pool.submit(first_pass, startable[0])] = startable[0]

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


def _shared_first(configs: Sequence[Config]) -> list[Config]:
    return [first_of(config) for config in configs if begins_with_qdrop(config)]
