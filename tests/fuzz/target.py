"""What is fuzzed, how a case is drawn, and what is a finding.

A case is the bytes of one file. It is a seed of its target, changed by some steps; target, seed and
step numbers give the same bytes for ever, so a case is repeated, and made smaller, by its numbers.
"""

from __future__ import annotations

import json
import shutil
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from aquant_ref.errors import InputError

Mutator = Callable[[Random, bytes], bytes]

SECONDS = 5.0  # of the processor that one case may take
LONGEST = 2000  # characters of a refusal, besides the path: more is no line that anybody reads
LARGEST = 1 << 20  # bytes of a case
STEPS = (1, 1, 1, 2, 2, 3, 5)  # how many changes a case has


@dataclass(frozen=True)
class Target:
    """One door: `call(path)` reads the case at `path`.

    `call` returns (a result), raises InputError (a refusal), or anything else, which is a finding;
    it raises Wrong where a result is not what it must be. `seeds` makes well-formed cases by name.
    A refusal has to name a file that was read, unless `names_file` is false. A `structured` case is
    JSON that `call` makes its input of, always well-formed.
    """

    name: str
    seeds: Callable[[], Mapping[str, bytes]]
    mutators: Sequence[Mutator]
    call: Callable[[Path], object]
    suffix: str = ""
    names_file: bool = True
    structured: bool = False
    quick: int = 100  # fresh cases in CI

    @cached_property
    def made(self) -> dict[str, bytes]:
        """The seeds, made once."""
        return dict(self.seeds())


class Wrong(Exception):
    """A result that is not what it must be, such as another one after saving and loading."""


@dataclass(frozen=True)
class Case:
    """A seed by name, and a number for each change."""

    seed: str
    steps: tuple[int, ...]

    @classmethod
    def draw(cls, target: Target, seed: int, number: int) -> Case:
        """The case with this number of a run with this seed."""
        rng = Random(f"{target.name} {seed} {number}")
        steps = tuple(rng.getrandbits(48) for _ in range(rng.choice(STEPS)))
        return cls(rng.choice(sorted(target.made)), steps)

    def data(self, target: Target) -> bytes:
        """The bytes of it."""
        data = target.made[self.seed]
        for step in self.steps:
            data = mutate(target, Random(step), data)
        return data

    def shorter(self) -> Iterator[Case]:
        """The same without one of its changes."""
        for k in range(len(self.steps)):
            yield replace(self, steps=self.steps[:k] + self.steps[k + 1 :])


def mutate(target: Target, rng: Random, data: bytes) -> bytes:
    """One change by one of the target's mutators.

    A change that needs a well-formed file leaves one alone that an earlier change has broken.
    """
    mutator = rng.choice(target.mutators)
    try:
        changed = mutator(rng, data)
    except Exception:
        return data
    return changed if len(changed) <= LARGEST else data


@dataclass(frozen=True)
class Finding:
    """What went wrong. Those with one `key` are likely one fault."""

    kind: str
    detail: str
    where: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What makes it another one."""
        return self.kind, self.where or self.detail


@dataclass(frozen=True)
class Outcome:
    """What came of a case: a finding, or a refusal, or (neither) a result."""

    finding: Finding | None = None
    refusal: str | None = None


def attempt(target: Target, data: bytes, folder: Path) -> Outcome:
    """Call the target with a case in the folder, which is made, and empty afterwards."""
    if target.structured and not _is_json(data):  # as atheris may cut it
        return Outcome(refusal="is no case of this target")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / f"case{target.suffix}"
    path.write_bytes(data)
    outcome = _judged(target, path)
    if outcome.finding is None and (left := _left_behind(folder)):
        return replace(outcome, finding=Finding("left behind", ", ".join(left), "left behind"))
    return outcome


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _judged(target: Target, path: Path) -> Outcome:
    refusal = None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        started = time.process_time()
        try:
            target.call(path)
        except InputError as error:
            refusal = str(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return Outcome(_of_exception(error))
        taken = time.process_time() - started
    if taken > SECONDS:
        return Outcome(Finding("slow", f"{taken:.1f} s of the processor", "slow"), refusal)
    if warned:
        first: Any = warned[0]
        text = f"{first.category.__name__}: {first.message}"
        return Outcome(Finding("warning", text, f"{Path(first.filename).name}:{first.lineno}"))
    if refusal is not None and (wrong := _of_refusal(refusal, target, path)):
        return Outcome(wrong, refusal)
    return Outcome(None, refusal)


def _of_exception(error: BaseException) -> Finding:
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "aquant_ref" in frame.filename or "reference_models" in frame.filename
    ]
    last = ours[-1] if ours else traceback.extract_tb(error.__traceback__)[-1]
    kind = "wrong" if isinstance(error, Wrong) else type(error).__name__
    what = str(error).partition(":")[0]
    where = what if isinstance(error, Wrong) else f"{Path(last.filename).name}:{last.name}"
    return Finding(kind, "".join(traceback.format_exception(error)), where)


def _of_refusal(refusal: str, target: Target, path: Path) -> Finding | None:
    own = refusal.replace(str(path.parent), "")
    start = ascii(own)[:60]
    if not refusal.isprintable():
        return Finding("not one printable line", ascii(refusal), start)
    if len(own) > LONGEST:
        return Finding("long", f"a refusal of {len(refusal)} characters: {refusal[:200]}", start)
    if target.names_file and str(path.parent) not in refusal:
        return Finding("without the file's name", refusal, start)
    return None


def _left_behind(folder: Path) -> list[str]:
    """Temporary files that are still there; targets save under names that end in "again"."""
    return sorted(each.name for each in folder.rglob("*") if each.name.endswith(".tmp"))
