"""Read known deviations from `deviations.toml`, which the owner of an implementation keeps.

    [[deviation]]
    flag = "requantize/tie"          # or case = "requantize/tie/exact-3", one id of a vector
    kind = "known-bug"               # or "out-of-scope"
    reason = "rounds half to even; fixed in 2.1"
    most = 1                         # how far answers may be off, in codes; any distance without it
    minimal = {acc = 1, got = 0}     # the simplest input, if you like

A deviating case is reported as such, never as passed. An entry that no longer deviates, matches
nothing, or hides a larger difference than it names is *stale*. That is an error, so that the file
stays true. No entry hides a broken protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.report.verdict import DEVIATING, ERROR, FAIL, UNSUPPORTED
from aquant_ref.errors import InputError, counted, printable, unknown
from aquant_ref.formats.text import read_toml
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.family import Cases

KINDS = {"known-bug": (FAIL, ERROR), "out-of-scope": (FAIL, ERROR, UNSUPPORTED)}
KEYS = {"case", "flag", "kind", "reason", "most", "minimal", "cpu"}


@dataclass
class Deviation:
    """Hold one entry, and count its cases in a run."""

    kind: str
    reason: str
    case: str = ""
    flag: str = ""
    most: float | None = None
    minimal: dict[str, Any] = field(default_factory=dict)
    cpu: str = ""  # where the entry applies, of those that come with this package
    named: int = 0
    deviated: int = 0
    farthest: float = 0  # that it has hidden, in the case `farthest_case`
    farthest_case: str = ""

    @property
    def target(self) -> str:
        """Return the case or flag as the file has it, made printable."""
        name, value = ("case", self.case) if self.case else ("flag", self.flag)
        return f'{name} = "{printable(value)}"'


def _names(cases: Cases, flags: Iterable[str]) -> set[str]:
    """Return how an entry may write a flag: alone, or of one operation or variation."""
    name = cases.operation.name
    of_operation = {f"{name}/{flag}" for flag in flags}
    return {*flags, *of_operation, *(f"{name}:{cases.profile}/{flag}" for flag in flags)}


@dataclass
class Deviations:
    """Hold all entries of a file. Spec: AQ-CONF-4.

    Those that are `shipped` with this package are checked by its tests, on another CPU and with
    other versions; so it is no error that all pass here.
    """

    entries: list[Deviation] = field(default_factory=list)
    shipped: bool = False

    def apply(
        self, cases: Cases, status: Array, off: Callable[[int], float] = lambda _: 0
    ) -> Array:
        """Return the verdicts, with those that an entry expects turned into "deviating".

        `off` returns how far the answer to the k-th case is from the right one.
        """
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
            entry.named += len(about)
            entry.deviated += len(deviates)
            out[deviates] = DEVIATING
            if entry.most is not None:
                for k in deviates[status[deviates] != UNSUPPORTED].tolist():
                    if (distance := off(k)) > entry.farthest:
                        entry.farthest, entry.farthest_case = distance, cases.ids[k]
        return out

    def stale(self) -> list[str]:
        """Return a line for each entry by which nothing deviated, or which hides too much."""
        said = [
            (entry, _stale(entry)) for entry in self.entries if entry.deviated or not self.shipped
        ]
        return [f"deviation {entry.target}: {why}" for entry, why in said if why]

    def applied(self) -> list[str]:
        """Return a line for each entry by which something deviated, with its reason."""
        return [
            f"deviation {entry.target}: {counted(entry.deviated, 'case')}: {entry.reason}"
            for entry in self.entries
            if entry.deviated
        ]


def _stale(entry: Deviation) -> str:
    if not entry.deviated:
        return "all that it names pass now" if entry.named else "names nothing that was run"
    if entry.most is None or entry.farthest <= entry.most:
        return ""
    what = f"a difference of {_number(entry.farthest)}"
    if entry.farthest == inf:
        what = "an answer without a value, or of another shape"
    case = printable(entry.farthest_case)
    return f"hides {what} in {case}, more than most = {_number(entry.most)}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def load(path: str | Path) -> Deviations:
    """Read `deviations.toml`.

    Raises InputError if it cannot be read, and for an entry without what it needs.
    """
    table = read_toml(path)
    if table.keys() - {"deviation"}:
        raise InputError(
            f"{path}: has {min(table.keys() - {'deviation'})!r}, not only [[deviation]]"
        )
    entries = table.get("deviation", [])
    if not isinstance(entries, list):
        raise InputError(f"{path}: 'deviation' is not a list; write [[deviation]]")
    return Deviations([_entry(f"{path}: deviation {k + 1}", e) for k, e in enumerate(entries)])


def _entry(where: str, entry: Any) -> Deviation:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: is {entry!r}, not a table")
    for key in entry.keys() - KEYS:
        raise InputError(f"{where}: {unknown('key', key, sorted(KEYS))}")
    for key, value in entry.items():
        if key == "most":
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value < inf:
                raise InputError(f"{where}: most is {value!r}, not a number from 0")
        elif key == "minimal":
            if not isinstance(value, dict):
                raise InputError(f"{where}: minimal is {value!r}, not a table")
        elif not isinstance(value, str):
            raise InputError(f"{where}: {key} is {value!r}, not text")
    if bool(entry.get("case")) == bool(entry.get("flag")):
        raise InputError(f"{where}: needs either a case or a flag")
    if not entry.get("reason", "").strip():
        raise InputError(f"{where}: gives no reason")
    if entry.get("kind") not in KINDS:
        if "kind" in entry:
            raise InputError(f"{where}: {unknown('kind', entry['kind'], KINDS)}")
        raise InputError(f"{where}: needs a kind, {' or '.join(KINDS)}")
    return Deviation(**entry)
