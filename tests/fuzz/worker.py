"""The process in which cases run: limited in memory, watched by `campaign`, replaced when it dies.

It works on slices, so many seconds of one target. Where it is and what it has counted are in shared
memory, so that they are known of a process that hangs or has ended too.
"""

from __future__ import annotations

import faulthandler
import importlib
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

from tests.fuzz.target import Case, Finding, Target, attempt

NUMBER, RESULTS, REFUSALS, BEGUN = range(4)  # the places of what is shared
REGISTRY = "tests.fuzz.targets"
KEPT = 3  # findings of one kind that are made smaller and kept, in a process


@dataclass(frozen=True)
class Limits:
    """`memory` bytes on top of what the process has at its start; `hang` seconds for a case."""

    memory: int = 1 << 30
    hang: float = 30.0


@dataclass(frozen=True)
class Slice:
    """Cases of a target from number `first` on, for so many seconds or at most `most` of them."""

    target: str
    seed: int
    first: int
    seconds: float
    most: int | None = None


@dataclass(frozen=True)
class Found:
    """A finding with its case, made smaller; `data` its bytes, `count` how many like it."""

    target: str
    case: Case
    finding: Finding
    data: bytes


def work(
    pipe: Connection, shared: Any, folder: Path, registry: str, limits: Limits, trace: Path
) -> None:
    """Do slices until there are no more; sends each Found, and None at the end of a slice."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_leave_with_parent, daemon=True).start()
    os.environ["TMPDIR"] = str(folder / "tmp")  # what is left there is found as well
    tempfile.tempdir = None
    (folder / "tmp").mkdir(parents=True)
    targets: Mapping[str, Target] = importlib.import_module(registry).TARGETS
    memory = _limit_memory(limits)
    with trace.open("w") as said:
        os.dup2(said.fileno(), 2)  # what libraries say there, and why a process ends
        faulthandler.enable(said)
        while (asked := pipe.recv()) is not None:
            _slice(pipe, shared, folder, targets[asked.target], asked, limits, memory, said)
            pipe.send(None)


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _limit_memory(limits: Limits) -> int | None:
    """Refuse this process more memory than allowed; returns the most that may be resident."""
    try:
        import resource
    except ImportError:  # not on this system
        return None
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    has = _peak()
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc").exists() else 0
    if pages:
        ceiling = pages * resource.getpagesize() + 4 * limits.memory
        resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
    return has + limits.memory


def _peak() -> int:
    """The most bytes that this process has had in memory."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss begins with what the parent had
        line = next(each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) << 10
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _slice(
    pipe: Connection,
    shared: Any,
    folder: Path,
    target: Target,
    asked: Slice,
    limits: Limits,
    memory: int | None,
    said: Any,
) -> None:
    seen: dict[tuple[str, str], int] = {}
    number, end = asked.first, time.monotonic() + asked.seconds
    stop = None if asked.most is None else asked.first + asked.most
    while time.monotonic() < end and number != stop:
        shared[NUMBER], shared[BEGUN] = number, 1
        said.seek(0)
        said.truncate()
        faulthandler.dump_traceback_later(0.8 * limits.hang, file=said)
        case = Case.draw(target, asked.seed, number)
        data = case.data(target)
        outcome = attempt(target, data, folder / "case")
        finding = outcome.finding or _left_in(folder / "tmp")
        grown = memory is not None and _peak() > memory
        if grown and finding is None:
            finding = Finding("memory", f"more than {limits.memory >> 20} MiB", "memory")
        if finding is not None:
            seen[finding.key] = seen.get(finding.key, 0) + 1
            if seen[finding.key] <= KEPT and finding.kind not in ("slow", "memory"):
                case = _smaller(target, case, finding, folder / "case")
            pipe.send(Found(target.name, case, finding, case.data(target)))
        elif outcome.refusal is not None:
            shared[REFUSALS] += 1
        else:
            shared[RESULTS] += 1
        number += 1
        shared[NUMBER] = number
        if grown:  # what was the most stays the most
            faulthandler.cancel_dump_traceback_later()
            os._exit(0)
    faulthandler.cancel_dump_traceback_later()


def _left_in(folder: Path) -> Finding | None:
    left = sorted(folder.iterdir())
    for each in left:
        if each.is_dir():
            shutil.rmtree(each, ignore_errors=True)
        else:
            each.unlink(missing_ok=True)
    names = ", ".join(each.name for each in left)
    return Finding("left behind", f"temporary files {names}", "left behind") if left else None


def _smaller(target: Target, case: Case, finding: Finding, folder: Path) -> Case:
    """The case without those of its changes that the finding does not need."""
    for each in case.shorter():
        again = attempt(target, each.data(target), folder).finding
        if again is not None and again.key == finding.key:
            return _smaller(target, each, finding, folder)
    return case
