"""Deviations that an implementation's owner knows of: `deviations.toml`, kept in the owner's hands.

    [[deviation]]
    flag = "requantize/tie"          # or case = "requantize/tie/exact-3", one id of a vector
    kind = "known-bug"               # or "out-of-scope"
    reason = "rounds half to even; fixed in 2.1"

A deviating case is reported as such, never as passed. An entry that no longer deviates, matches
nothing, or gives no reason is *stale*: an error, so that the file cannot rot.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.report.verdict import DEVIATING, ERROR, FAIL, UNSUPPORTED
from aquant_ref.errors import InputError, printable
from aquant_ref.formats.text import read_toml
from aquant_ref.typing import Array

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
        """The case or flag, as it is written in the file but for what does not print."""
        name, value = ("case", self.case) if self.case else ("flag", self.flag)
        return f'{name} = "{printable(value)}"'


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
        place = {name: k for k, name in enumerate(cases.ids)}
        kinds: dict[str, list[int]] = {}
        for kind, flags in enumerate(cases.flags):
            for name in _names(cases, flags):
                kinds.setdefault(name, []).append(kind)
        for entry in self.entries:
            if entry.case in place:
                about = np.array([place[entry.case]])
            elif entry.flag in kinds:
                about = np.flatnonzero(np.isin(cases.kind, kinds[entry.flag]))
            else:
                continue
            deviates = about[np.isin(status[about], KINDS[entry.kind])]
            entry.met += len(about)
            entry.deviated += len(deviates)
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
    table = read_toml(path)
    if table.keys() - {"deviation"}:
        raise InputError(
            f"{path}: has {min(table.keys() - {'deviation'})!r}, not only [[deviation]]"
        )
    entries = table.get("deviation", [])
    if not isinstance(entries, list):
        raise InputError(f"{path}: has a 'deviation' that is no list; write [[deviation]]")
    return Deviations([_entry(f"{path}: deviation {k + 1}", e) for k, e in enumerate(entries)])


def _entry(where: str, entry: Any) -> Deviation:
    if not isinstance(entry, dict):
        raise StaleDeviation(f"{where}: is {entry!r}, not a table")
    unknown = entry.keys() - KEYS
    if unknown:
        raise StaleDeviation(f"{where}: has no {min(unknown)!r}")
    for key, value in entry.items():
        if not isinstance(value, str):
            raise StaleDeviation(f"{where}: {key} is {value!r}, not text")
    if bool(entry.get("case")) == bool(entry.get("flag")):
        raise StaleDeviation(f"{where}: needs either a case or a flag")
    if not entry.get("reason", "").strip():
        raise StaleDeviation(f"{where}: gives no reason")
    if entry.get("kind") not in KINDS:
        raise StaleDeviation(f"{where}: needs a kind, {' or '.join(KINDS)}")
    return Deviation(**entry)
