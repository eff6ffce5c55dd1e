"""A grid of runs: methods x bits x seeds on one model and data set, in all cores, resumable.

Every finished cell is a file of its own in the folder `<out>.cells`, and so are first passes.
Whatever is killed, and when, a second call finds what was finished, there or in the table, and
computes the rest; then it writes the table (`results`).
"""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from aquant_ref.errors import InputError, printable
from aquant_ref.experiments import results
from aquant_ref.experiments.worker import (
    Grid,
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
    """A cell's configuration from "METHOD" or "METHOD@FORM" and "W2A2"; raises InputError."""
    name, _, form = method.partition("@")
    found = re.fullmatch("W([0-9]{1,9})A([0-9]{1,9})", bits)
    if found is None:
        raise InputError(f"--bits: {printable(repr(bits), 60)} is not of the form W2A2")
    return Config(name, int(found[1]), int(found[2]), border=form, **rest)


def run(
    grid: Grid,
    out: Path,
    *,
    processes: int | None = None,
    progress: Progress = quiet,
    say: Say = silent,
) -> list[dict[str, Any]]:
    """Compute what the table `out`, a JSON file, does not have yet of the grid, and write it.

    Returns the rows of the grid. Raises InputError for bad input, before any work, and where a cell
    cannot be computed.
    """
    table = results.table(out)
    origin = grid.origin()
    folder = out.with_name(f"{out.stem}.cells")
    keys = {config: origin.key(config, grid.images) for config in grid.configs}
    known = table.read()
    remove_abandoned(folder)

    def collect() -> None:
        for key in keys.values():
            if key not in known and (path := folder / f"{key}.json").exists():
                known[key] = results.load_row(path)

    collect()
    missing = [config for config, key in keys.items() if key not in known]
    if missing:
        # what cannot be loaded is refused here, and not by every worker
        origin.load(images=grid.images, seed=missing[0].seed, progress=progress, say=say)
        make_directory(folder)
        workers = min(processes or available_cores(), len(missing))
        with ProcessPoolExecutor(
            workers,
            multiprocessing.get_context("spawn"),
            start_process,
            (origin, grid.images, folder),
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
