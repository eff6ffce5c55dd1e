"""Deviations that an implementation's owner knows of: `deviations.toml`, kept in the owner's hands.

    [[deviation]]
    flag = "requantize/tie"          # or case = "requantize/tie/exact-3", one id of a vector
    kind = "known-bug"               # or "out-of-scope"
    reason = "rounds half to even; fixed in 2.1"

A deviating case is reported as such, never as passed. An entry that no longer deviates, matches
nothing, or gives no reason is *stale*: an error, so that the file cannot rot.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aquant_ref.conformance.cases.family import Array, Cases
from aquant_ref.conformance.verdict import DEVIATING, ERROR, FAIL, UNSUPPORTED
from aquant_ref.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:  # the extra "conformance" brings it
    try:
        import tomli as tomllib
    except ImportError:
        tomllib = None

KINDS = {"known-bug": (FAIL, ERROR), "out-of-scope": (FAIL, ERROR, UNSUPPORTED)}
KEYS = {"case", "flag", "kind", "reason"}


@dataclass
class Deviation:
    """One entry, and what was seen of it in a run."""

    kind: str
    reason: str
    case: str = ""
    flag: str = ""
    met: int = 0
    deviated: int = 0

    @property
    def target(self) -> str:
        """The case or flag, as it is written in the file."""
        return f'case = "{self.case}"' if self.case else f'flag = "{self.flag}"'

    def matches(self, cases: Cases) -> Array:
        """Which of the cases it is about, (n,) bool."""
        if self.case:
            return np.array([name == self.case for name in cases.ids], bool)
        kinds = [self.flag in _names(cases, flags) for flags in cases.flags]
        return np.array(kinds, bool)[cases.kind]


def _names(cases: Cases, flags: Iterable[str]) -> set[str]:
    """How an entry may write a flag: alone, or of one operation or variation."""
    name = cases.operation.name
    whole = {f"{name}/{flag}" for flag in flags}
    return {*flags, *whole, *(f"{name}:{cases.profile}/{flag}" for flag in flags)}


@dataclass
class Deviations:
    """All entries of a file. Spec: AQ-CONF-4."""

    entries: list[Deviation] = field(default_factory=list)

    def apply(self, cases: Cases, status: Array) -> Array:
        """The verdicts, with those that an entry expects turned into "deviating"."""
        out = status.copy()
        for entry in self.entries:
            about = entry.matches(cases)
            deviates = about & np.isin(status, KINDS[entry.kind])
            entry.met += int(about.sum())
            entry.deviated += int(deviates.sum())
            out[deviates] = DEVIATING
        return out

    def stale(self) -> list[str]:
        """A line for each entry that nothing deviated by."""
        return [
            f"deviation {entry.target}: "
            + ("all that it names pass now" if entry.met else "names nothing that was run")
            for entry in self.entries
            if not entry.deviated
        ]


class StaleDeviation(InputError):
    """An entry of the file is incomplete."""


def load(path: str | Path) -> Deviations:
    """Read `deviations.toml`.

    Raises InputError if it cannot be read, StaleDeviation for an entry without what it needs.
    """
    if tomllib is None:
        raise InputError(f"{path}: Python 3.10 needs pip install 'aquant-ref[conformance]' for it")
    try:
        read = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if set(read) - {"deviation"}:
        raise InputError(f"{path}: has {min(set(read) - {'deviation'})!r}, not only [[deviation]]")
    entries = read.get("deviation", [])
    return Deviations([_entry(f"{path}: deviation {k + 1}", e) for k, e in enumerate(entries)])


def _entry(where: str, entry: dict[str, Any]) -> Deviation:
    unknown = set(entry) - KEYS
    if unknown:
        raise StaleDeviation(f"{where}: has no {min(unknown)!r}")
    if ("case" in entry) == ("flag" in entry):
        raise StaleDeviation(f"{where}: needs either a case or a flag")
    if not str(entry.get("reason", "")).strip():
        raise StaleDeviation(f"{where}: gives no reason")
    if entry.get("kind") not in KINDS:
        raise StaleDeviation(f"{where}: needs a kind, {' or '.join(KINDS)}")
    return Deviation(**entry)
