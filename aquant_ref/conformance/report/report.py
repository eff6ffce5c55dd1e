"""Count what a run found, and show it as text and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref import __version__
from aquant_ref.conformance import contract
from aquant_ref.conformance.cases.sequence import families_of
from aquant_ref.conformance.diagnosis import explanation
from aquant_ref.conformance.faults import FAULTS
from aquant_ref.conformance.protocol.replies import Problems
from aquant_ref.conformance.report.claim import Passed
from aquant_ref.conformance.report.verdict import (
    DEVIATING,
    ERROR,
    FAIL,
    MISSING,
    PASS,
    STATUSES,
    UNSUPPORTED,
    texts,
)
from aquant_ref.conformance.report.window import window
from aquant_ref.errors import counted, printable
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.family import Cases
    from aquant_ref.conformance.diagnosis.explanation import Explanation
    from aquant_ref.conformance.expected.results import Expected
    from aquant_ref.conformance.protocol.answers import Answers

MOST_FAILURES = 20  # shown of one operation
MOST_OF_FLAG = 3  # and of these, with the same flag
MOST_LIKELY = 3  # faults named for a failure
MOST_NAME = 500  # characters of an implementation's name, which may be a command
BROKEN = ("crash", "invalid")  # of `Answers.other`; a missing answer has a status of its own
WIDTHS = 15, 13  # of the columns for operations and profiles, at least
MOST_SHOWN = 60  # characters of a tensor; the JSON report has all of it
EXIT_PASS, EXIT_MISMATCH, EXIT_PROTOCOL, EXIT_STALE, EXIT_NOTHING = range(5)


@dataclass(frozen=True)
class Failure:
    """Describe one wrong case, with the command that repeats it; `status` is FAIL or ERROR.

    `window` shows a tensor around its first difference.
    """

    case: str
    status: str
    operation: str
    profile: str
    flags: tuple[str, ...]
    inputs: dict[str, Any]
    got: str
    expected: str
    rules: str
    replay: str
    window: tuple[str, ...] = ()


def inputs_text(inputs: dict[str, Any]) -> str:
    """Return the fields of a case for people: large tensors as their shape."""
    return " ".join(f"{name}={_shown(value)}" for name, value in inputs.items())


def _finite(value: Any) -> Any:
    """Replace the numbers that JSON does not have by text."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def _shown(value: Any) -> str:
    if isinstance(value, list) and len(str(value)) > MOST_SHOWN:
        size, shape = value, []
        while isinstance(size, list):
            shape.append(len(size))
            size = size[0]
        return f"[...] of {'x'.join(map(str, shape))}"
    return f"{value.hex()} ({value!r})" if isinstance(value, float) else str(value)


@dataclass
class Report:
    """Count by (operation, profile, flag, status); keep first failures and protocol problems.

    `about` says what was run, `run` when, how, and with which versions; `passed` has what a claim
    may name. `smallest` may have the simplest failing inputs of an operation. `diagnoses` has
    what explains the wrong answers of (operation, profile), an empty list where nothing does.
    `hints` are lines about what may be a slip. All texts are printable, whatever an implementation
    says, so that they fit a terminal, XML and HTML.
    Spec: AQ-CONF-3, AQ-CONF-8.
    """

    about: str
    implementation: str
    run: dict[str, str] = field(default_factory=dict)
    counts: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    problems: Problems = field(default_factory=Problems)
    stale: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    smallest: dict[str, dict[str, Any]] = field(default_factory=dict)
    unseen: Counter[str] = field(default_factory=Counter)
    undeclared: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    no_answer: Counter[str] = field(default_factory=Counter)
    passed: Passed = field(default_factory=Passed)
    hints: list[str] = field(default_factory=list)
    diagnoses: dict[tuple[str, str], list[Explanation]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.implementation = printable(self.implementation, MOST_NAME)
        self.run = {name: printable(value) for name, value in self.run.items()}

    def add(
        self,
        cases: Cases,
        expected: Expected,
        answers: Answers,
        status: Array,
        replay: Callable[[str], str],
        *,
        declared: bool = True,
    ) -> None:
        """Count these cases, and keep the first failures of the operation.

        `declared` tells whether the implementation declares that it can do them.
        """
        name = cases.operation.name
        for kind, flags in enumerate(cases.flags):
            of_kind = cases.kind == kind
            for each, count in zip(*np.unique(status[of_kind], return_counts=True), strict=True):
                self.counts[name, cases.profile, "+".join(flags), str(each)] += int(count)
                if not declared:
                    self.undeclared[name, cases.profile, "+".join(flags)] += int(count)
        self.no_answer.update(what for what, _ in answers.other.values() if what in BROKEN)
        for k in np.flatnonzero(np.isin(status, (FAIL, ERROR))).tolist():
            flags = cases.flags[cases.kind[k]]
            of_operation = [f.flags for f in self.failures if f.operation == name]
            if len(of_operation) >= MOST_FAILURES or of_operation.count(flags) >= MOST_OF_FLAG:
                self.unseen[name] += 1
                continue
            got, right = texts(expected, answers, k)
            self.failures.append(
                Failure(
                    printable(cases.ids[k]),
                    str(status[k]),
                    name,
                    cases.profile,
                    flags,
                    cases.inputs(k),
                    got,
                    right,
                    contract.rules(cases.operation, cases.profile),
                    printable(replay(cases.ids[k])),
                    window(cases, expected, answers, k),
                )
            )

    def total(self, **chosen: str) -> dict[str, int]:
        """Count the cases by status, and in `total`; `chosen` names operation, profile or flag."""
        names = ("operation", "profile", "flag")
        sums = dict.fromkeys(STATUSES, 0)
        for key, count in self.counts.items():
            where = dict(zip(names, key, strict=False))
            if all(where[name] == value for name, value in chosen.items()):
                sums[key[3]] += count
        return {**sums, "total": sum(sums.values())}

    def answered(self, operation: str) -> bool:
        """Tell whether any case of the operation is neither undeclared nor unsupported."""
        sums = self.total(operation=operation)
        return sums["total"] > sums[UNSUPPORTED]

    def not_asked(self, *chosen: str) -> int:
        """Count the cases that were not declared; `chosen` is an operation, profile and flag."""
        return sum(n for key, n in self.undeclared.items() if key[: len(chosen)] == chosen)

    @property
    def flags(self) -> list[tuple[str, str, str]]:
        """List (operation, profile, flag) with a case that was asked, in the order of the run."""
        totals = Counter[tuple[str, str, str]]()
        for (name, profile, flag, _), n in self.counts.items():
            totals[name, profile, flag] += n
        return [key for key, n in totals.items() if n > self.undeclared[key]]

    @property
    def rest(self) -> str:
        """Say in one line what was not declared; "" where all was."""
        whole: list[str] = []
        parts: list[str] = []
        for name in dict.fromkeys(name for name, _, _ in self.undeclared):
            few = self.not_asked(name) < self.total(operation=name)["total"]
            (parts if few else whole).append(name)
        said = [f"nothing of {', '.join(whole)}"] * bool(whole)
        said += [f"not all of {', '.join(parts)}"] * bool(parts)
        cases = counted(self.undeclared.total(), "case")
        return f"not declared: {cases} ({'; '.join(said)})" if said else ""

    @property
    def rows(self) -> list[tuple[str, str]]:
        """List (operation, profile) in the order of the run."""
        return list(dict.fromkeys((name, profile) for name, profile, _, _ in self.counts))

    @property
    def broken(self) -> dict[str, int]:
        """Count what breaks the protocol by kind: as the adapter says, or else by answers."""
        return dict(self.problems.counts or self.no_answer)

    @property
    def exit_code(self) -> int:
        """Return the first of these that applies, or 0. Spec: AQ-CONF-13.

        2: a broken protocol, 1: a wrong answer, 3: a stale deviation, 4: no case passes.
        """
        sums = self.total()
        if self.broken or sums[MISSING]:
            return EXIT_PROTOCOL
        if sums[FAIL] or sums[ERROR]:
            return EXIT_MISMATCH
        if self.stale:
            return EXIT_STALE
        return EXIT_PASS if sums[PASS] else EXIT_NOTHING

    @property
    def nothing(self) -> str:
        """Say in one line why nothing is verified; "" where a case passes or is wrong."""
        sums = self.total()
        if sums[PASS] or sums[FAIL] or sums[ERROR] or sums[MISSING]:
            return ""
        asked = sums["total"] - self.undeclared.total()
        sums[UNSUPPORTED] -= self.undeclared.total()
        why = f"of {counted(asked, 'case')}, {_summed(sums)}" if asked else "no case was asked"
        return f"nothing is verified: {why}"

    @property
    def claim(self) -> str:
        """Return in one line what this run allows to claim: what passed, and no more."""
        if self.exit_code:
            return "claim: none"
        sums = self.total()
        but = [f"{sums[s]} {s}" for s in (DEVIATING, UNSUPPORTED) if sums[s]]
        count = f"{sums[PASS]} of {sums['total']} pass{''.join(f', {each}' for each in but)}"
        parts = [f"profile {', '.join(self._profiles())}", self.passed.text(), count]
        said = "; ".join(filter(None, parts))
        return f"claim: {self.implementation} conforms to {self.about}, {said}"

    def _profiles(self) -> Iterator[str]:
        """Yield each profile of which all that was declared passes, or the operations that pass."""
        for profile in contract.PROFILES:
            names = [each.name for each in contract.OPERATIONS.values() if each.profile == profile]
            of = {name: self.total(operation=name) for name in names}
            passed = [name for name in names if of[name][PASS]]
            asked = {name: of[name]["total"] - self.not_asked(name) for name in names}
            if passed and passed == names and all(of[name][PASS] == asked[name] for name in names):
                yield profile
            elif passed:
                yield f"{profile} in part ({', '.join(passed)})"

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "format": "aquant-ref report 1",
            "implementation": self.implementation,
            "about": self.about,
            "aquant_ref": __version__,
            "run": self.run,
            "total": self.total(),
            "counts": [
                {"operation": name, "profile": profile, "flag": flag, "status": s, "cases": count}
                for (name, profile, flag, s), count in self.counts.items()
            ],
            "failures": [
                {**asdict(f), "inputs": _finite(f.inputs), "likely": self.likely(f)}
                for f in self.failures
            ],
            "diagnoses": [
                {"operation": name, "profile": profile, "explanations": [asdict(e) for e in found]}
                for (name, profile), found in self.diagnoses.items()
            ],
            "not_declared": [
                {"operation": name, "profile": profile, "flag": flag, "cases": n}
                for (name, profile, flag), n in self.undeclared.items()
            ],
            "smallest_failures": _finite(self.smallest),
            "failures_not_shown": dict(self.unseen),
            "protocol": {"counts": self.broken, "first": self.problems.first},
            "known_deviations": self.known,
            "stale_deviations": self.stale,
            "hints": self.hints,
            "nothing_verified": self.nothing,
            "exit_code": self.exit_code,
            "claim": self.claim,
        }

    def likely(self, failure: Failure) -> list[str]:
        """Return the faults that its flags catch, the likeliest first.

        A fault is likelier the more of the other flags that catch it fail, too. None is returned if
        there is no answer, or an explanation of all answers, which is better than a vote.
        """
        found = self.diagnoses.get((failure.operation, failure.profile))
        if failure.status == ERROR or explanation.explains(found):
            return []
        families = families_of(failure.operation, failure.profile)
        of_row = {"operation": failure.operation, "profile": failure.profile}
        sums = {f.flag: self.total(**of_row, flag=f.flag) for f in families}
        score = Counter[str]()
        for family in families:
            fails = sums[family.flag][FAIL] + sums[family.flag][ERROR] > 0
            score.update(dict.fromkeys(family.catches, 1 if fails else -1))
        caught = dict.fromkeys(d for f in families if f.flag in failure.flags for d in f.catches)
        return sorted(caught, key=lambda defect: -score[defect])[:MOST_LIKELY]

    def diagnosis(self, operation: str, profile: str) -> list[str]:
        """Say what explains the wrong answers of an operation, for people; nothing if none are."""
        found = self.diagnoses.get((operation, profile))
        return [] if found is None else explanation.lines(found)

    def lines(self, failure: Failure) -> list[str]:
        """Describe a failure, for people."""
        likely = "; ".join(FAULTS[defect] for defect in self.likely(failure))
        return [
            f"  {failure.case} [{', '.join(failure.flags)}]",
            f"    {inputs_text(failure.inputs)} => got {failure.got}, expected {failure.expected}",
            *(f"      {line}" for line in failure.window),
            f"    rule {failure.rules}{likely and f'; likely: {likely}'}",
            f"    again: {failure.replay}",
        ]

    def text(self) -> str:
        """Return a text for people: a line for each operation, failures, the sum, the claim."""
        lines = [f"{self.implementation}: {self.about}", ""]
        asked = list(zip(*self.flags, strict=True)) or [(), (), ()]
        widths = (max([least, *map(len, of)]) for least, of in zip(WIDTHS, asked, strict=False))
        of_name, of_profile = widths
        for name, profile in self.rows:
            sums = self.total(operation=name, profile=profile)
            for status in ("total", UNSUPPORTED):
                sums[status] -= self.not_asked(name, profile)
            if not sums["total"]:
                continue
            number, _, what = counted(sums["total"], "case").partition(" ")
            lines.append(
                f"{name:<{of_name}} {profile:<{of_profile}} {number:>8} {what}: {_summed(sums)}"
            )
            lines += [f"  {line}" for line in self.diagnosis(name, profile)]
            for failure in self.failures:
                if (failure.operation, failure.profile) == (name, profile):
                    lines += self.lines(failure)
        lines += [self.rest] * bool(self.rest)
        lines += [f"{name}: {n} more that are wrong" for name, n in self.unseen.items()]
        lines += [f"{name}: smallest: {inputs_text(case)}" for name, case in self.smallest.items()]
        lines += self.known
        lines += self.hints
        lines += [""] * bool(self.of_run) + self.of_run
        sums = self.total()
        added = " + ".join(f"{sums[s]} {s}" for s in STATUSES)
        whole = counted(sums["total"], "case")
        return "\n".join([*lines, "", f"{added} = {whole}", self.claim])

    @property
    def of_run(self) -> list[str]:
        """List what is wrong with the run and belongs to no case alone."""
        lines = [f"protocol: {n} {kind}" for kind, n in self.broken.items()]
        lines += [f"  {text}" for text in self.problems.first]
        return [*lines, *self.stale, *filter(None, [self.nothing])]


def _summed(sums: dict[str, int]) -> str:
    return ", ".join(f"{sums[s]} {s}" for s in STATUSES if sums[s])
