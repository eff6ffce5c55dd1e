"""A run over targets in child processes: time spread evenly, hangs and crashes found."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from tests.fuzz.target import Case, Finding, Target
from tests.fuzz.worker import BEGUN, NUMBER, REFUSALS, REGISTRY, RESULTS, Found, Limits, Slice, work

TICK = 0.2  # seconds between two looks at a child
START = 120.0  # seconds that a child may take until it has its first case
TURN = 20.0  # seconds of a target before it is the next one's turn, at most


@dataclass
class Tally:
    """What came of one target; `first` is the number of its next case."""

    first: int = 0
    results: int = 0
    refusals: int = 0
    seconds: float = 0.0
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    found: dict[tuple[str, str], Found] = field(default_factory=dict)

    @property
    def executions(self) -> int:
        """Cases that were run, with those of findings."""
        return self.results + self.refusals + sum(self.counts.values())

    def add(self, found: Found) -> None:
        """One more finding; of those with one key the one with the fewest changes is kept."""
        key = found.finding.key
        self.counts[key] = self.counts.get(key, 0) + 1
        old = self.found.get(key)
        if old is None or len(found.case.steps) < len(old.case.steps):
            self.found[key] = found

    def row(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "executions": self.executions,
            "results": self.results,
            "refusals": self.refusals,
            "findings": len(self.found),
            "seconds": round(self.seconds, 1),
            "each": [
                {
                    "kind": each.finding.kind,
                    "where": _storable(each.finding.where),
                    "detail": _storable(each.finding.detail),
                    "seed": each.case.seed,
                    "steps": list(each.case.steps),
                    "count": self.counts[key],
                }
                for key, each in self.found.items()
            ],
        }


def _storable(text: str) -> str:
    """Lone surrogates as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


class Child:
    """A process that runs slices; started when it is needed, and again after it has ended."""

    def __init__(self, registry: str, limits: Limits, folder: Path) -> None:
        self._registry, self._limits, self._folder = registry, limits, folder
        self._process: Any = None
        self._pipe: Any = None
        self._shared: Any = None
        self._starts = 0

    def _start(self) -> None:
        self._starts += 1
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._shared = context.Array("q", 4, lock=False)
        self._trace = self._folder / f"trace-{self._starts}"
        self._process = context.Process(
            target=work,
            args=(
                theirs,
                self._shared,
                self._folder / f"{self._starts}",
                self._registry,
                self._limits,
                self._trace,
            ),
            daemon=True,
        )
        self._process.start()
        theirs.close()

    def run(self, asked: Slice, targets: Any, tally: Tally) -> None:
        """Do a slice and put it into the tally; a child that hangs or ends is a finding too."""
        started = time.monotonic()
        if self._process is None:
            self._start()
        self._shared[:] = (asked.first, 0, 0, 0)
        self._pipe.send(asked)
        last, moved = (asked.first, 0), time.monotonic()
        why = ""
        while True:
            try:
                if self._pipe.poll(TICK):
                    message = self._pipe.recv()
                    if message is None:
                        break
                    tally.add(message)
                    moved = time.monotonic()
                    continue
            except (EOFError, OSError):
                why = "crash"
                break
            now = self._shared[NUMBER], self._shared[BEGUN]
            if now != last:
                last, moved = now, time.monotonic()
            if time.monotonic() - moved > (self._limits.hang if now[1] else START):
                why = "hang"
                break
        tally.results += self._shared[RESULTS]
        tally.refusals += self._shared[REFUSALS]
        tally.first = self._shared[NUMBER]
        if why:
            self._ended(why, asked, targets, tally)
        tally.seconds += time.monotonic() - started

    def _ended(self, why: str, asked: Slice, targets: Any, tally: Tally) -> None:
        self._process.join(0 if why == "hang" else 10)
        code = self._process.exitcode
        self.stop()
        if why == "crash" and code == 0:  # it has said why
            return
        target = targets[asked.target]
        case = Case.draw(target, asked.seed, tally.first)
        trace = self._trace.read_text(errors="replace") if self._trace.exists() else ""
        text = f"exit code {code}" if why == "crash" else f"no end after {self._limits.hang:g} s"
        where = next((line.strip() for line in trace.splitlines() if "aquant_ref" in line), text)
        finding = Finding(why, f"{text}\n{trace}", where)
        tally.add(Found(target.name, case, finding, case.data(target)))
        tally.first += 1

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None


@contextmanager
def children(count: int, registry: str, limits: Limits) -> Iterator[list[Child]]:
    """So many, each with a folder of its own; all are ended, and the folders removed."""
    with TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as folder:
        made = [Child(registry, limits, Path(folder, str(k))) for k in range(count)]
        for k in range(count):
            Path(folder, str(k)).mkdir()
        try:
            yield made
        finally:
            for each in made:
                each.stop()


def run(
    targets: dict[str, Target],
    *,
    seconds: float,
    seed: int,
    jobs: int = 1,
    registry: str = REGISTRY,
    limits: Limits | None = None,
    most: int | None = None,
    tell: Callable[[str, float], None] = lambda name, share: None,
) -> dict[str, Tally]:
    """Fuzz the targets in turn for so many seconds in all, or `most` cases each.

    The same time goes to each target, in turns, so that a run that is stopped early has been
    everywhere. `tell` is called after each turn with the name and how much of the time has gone.
    Ctrl-C ends it with what is known until then.
    """
    tallies = {name: Tally() for name in targets}
    begun = time.monotonic()
    turn = max(0.2, min(TURN, seconds * jobs / len(targets) / 3))
    waiting, lock, stopped = cycle(targets), Lock(), []

    def next_turn() -> str | None:
        """The target whose turn it is: the next one that has had less than its share."""
        share = seconds * jobs / len(targets)
        with lock:
            for _ in range(len(targets)):
                name = next(waiting)
                tally = tallies[name]
                done = most is not None and tally.first >= most
                if not done and tally.seconds < share and name not in busy:
                    busy.add(name)
                    return name
        return None

    busy: set[str] = set()

    def serve(child: Child) -> None:
        while not stopped and time.monotonic() - begun < seconds:
            name = next_turn()
            if name is None:
                if not busy or most is not None:
                    return
                time.sleep(TICK)
                continue
            tally = tallies[name]
            left = max(0.2, seconds - (time.monotonic() - begun))
            count = None if most is None else most - tally.first
            asked = Slice(name, seed, tally.first, min(turn, left), count)
            child.run(asked, targets, tally)
            busy.discard(name)
            tell(name, min(1.0, (time.monotonic() - begun) / seconds))

    with children(jobs, registry, limits or Limits()) as made, ThreadPoolExecutor(jobs) as pool:
        working = [pool.submit(serve, child) for child in made]
        try:
            for each in working:
                each.result()
        except KeyboardInterrupt:
            stopped.append(True)
    return tallies


def write(folder: Path, tallies: dict[str, Tally], targets: dict[str, Target]) -> list[Path]:
    """Write each finding to a folder: the case, and beside it what went wrong and how to repeat."""
    written = []
    for name, tally in tallies.items():
        for number, (key, found) in enumerate(tally.found.items()):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{name}-{number}{targets[name].suffix}"
            path.write_bytes(found.data)
            again = f"python -m tests.fuzz --targets {name} --replay {path}"
            about = {
                "target": name,
                "seed": found.case.seed,
                "steps": found.case.steps,
                "count": tally.counts[key],
                "kind": found.finding.kind,
                "repeat": again,
            }
            text = f"{json.dumps(about, indent=1)}\n\n{found.finding.detail}\n"
            path.with_name(f"{path.name}.txt").write_text(text, encoding="utf-8", errors="replace")
            written.append(path)
    return written


def table(tallies: dict[str, Tally], names: Sequence[str]) -> str:
    """A line for each target, and one for all."""
    columns = ("executions", "results", "refusals", "findings", "a second")
    lines = ["target".ljust(22) + "".join(name.rjust(11) for name in columns)]
    total = Tally()
    for name in names:
        each = tallies[name]
        lines.append(_line(name, each, len(each.found)))
        total.results += each.results
        total.refusals += each.refusals
        total.seconds += each.seconds
        total.counts |= {(name, str(key)): count for key, count in each.counts.items()}
    lines.append(_line("all", total, sum(len(each.found) for each in tallies.values())))
    return "\n".join(lines)


def _line(name: str, tally: Tally, findings: int) -> str:
    speed = tally.executions / tally.seconds if tally.seconds else 0
    counts = (tally.executions, tally.results, tally.refusals, findings, round(speed))
    return name.ljust(22) + "".join(f"{count:>11}" for count in counts)
