"""Find which variation of each operation an implementation computes. Spec: AQ-CONF-14."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.checks import takes_functions
from aquant_ref.conformance import contract
from aquant_ref.conformance.adapters.asking import Asked
from aquant_ref.conformance.cases.selection import MOST, check_whole
from aquant_ref.conformance.diagnosis import explanation
from aquant_ref.conformance.diagnosis.candidates import Candidate, variations
from aquant_ref.conformance.diagnosis.diagnose import diagnoses
from aquant_ref.conformance.diagnosis.evidence import without_wrong
from aquant_ref.conformance.identification.trial import Trial, declared_for, tried
from aquant_ref.conformance.report.report import (
    EXIT_MISMATCH,
    EXIT_NOTHING,
    EXIT_PASS,
    EXIT_PROTOCOL,
    MOST_NAME,
)
from aquant_ref.conformance.verification import SEED, names_of
from aquant_ref.errors import printable
from aquant_ref.progress import Progress, quiet

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters import Adapter, Capabilities
    from aquant_ref.conformance.diagnosis.explanation import Explanation
    from aquant_ref.conformance.protocol.replies import Problems

GENERATED = 200  # cases of a scalar operation in each variation, besides the vectors
Limits = dict[str, tuple[Any, ...]]  # by option of `verify`
NEAREST = {"half_even", "half_up", "half_away"}
OPTIONS = ("bits", "signs", "rounding", "granularity")


@dataclass
class Identified:
    """Say of one operation which variations fit all answers, the likeliest first.

    `alike` are those that no case parts from the first; `too` are those whose cases do not part
    them, though those of the first do. `as_asked` are those that are computed where they are asked.
    `limits` are codes, scales or rules, if it fits with these alone; `limited` are other variations
    that fit as well with such limits. `nearest` is the one with most right answers, and `explained`
    what explains the rest.
    """

    operation: str
    trials: list[Trial]
    fits: list[str] = field(default_factory=list)
    alike: list[str] = field(default_factory=list)
    as_asked: list[str] = field(default_factory=list)
    too: list[str] = field(default_factory=list)
    limits: Limits = field(default_factory=dict)
    limited: dict[str, Limits] = field(default_factory=dict)
    right: int = 0
    nearest: str = ""
    explained: list[str] = field(default_factory=list)

    def trial(self, profile: str) -> Trial:
        """Return the one of a variation."""
        return next(each for each in self.trials if each.profile == profile)

    @property
    def text(self) -> str:
        """Return one line."""
        head = f"{self.operation:<17}"
        if not self.fits:
            head += f"fits none; nearest: {self.nearest}, {self.trial(self.nearest).share}"
            return "; ".join([head, *self.explained])
        first = self.fits[0]
        parts = [f"{head}{first:<19}{self.right} of {self.trial(first).answered}"]
        if self.limits:
            parts[0] += f", all with {_worded(self.limits)}"
            parts += [f"the rest: {each}" for each in self.explained]
        if self.alike:
            parts.append(f"no case that is asked parts it from {', '.join(self.alike)}")
        parts += [f"with {_worded(limits)} also {name}" for name, limits in self.limited.items()]
        if self.too:
            parts.append(f"the cases of {', '.join(self.too)} are right, too")
        if self.as_asked:
            parts.append(f"as asked also {', '.join(self.as_asked)}")
        return "; ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        tried = {t.profile: {"right": t.passed, "answered": t.answered} for t in self.trials}
        return {
            "operation": self.operation,
            "fits": self.fits,
            "not_parted": self.alike,
            "right_too": self.too,
            "as_asked": self.as_asked,
            "limits": self.limits,
            "fits_with_limits": self.limited,
            "nearest": self.nearest,
            "explained": self.explained,
            "tried": tried,
        }


def _worded(limits: Limits) -> str:
    return " ".join(f"{name} {','.join(map(str, words))}" for name, words in limits.items())


@dataclass
class Identification:
    """Hold what was found of each operation that answers anything, and protocol problems."""

    implementation: str
    found: list[Identified]
    silent: list[str]
    problems: Problems
    no_answer: Counter[str]
    hints: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """Return 0: all identified, 2: a broken protocol, 1: something fits none, 4: no answer."""
        if self.broken:
            return EXIT_PROTOCOL
        if not self.found:
            return EXIT_NOTHING
        return EXIT_PASS if all(each.fits for each in self.found) else EXIT_MISMATCH

    @property
    def broken(self) -> dict[str, int]:
        """Count what breaks the protocol by kind: as the adapter says, or else by answers."""
        return dict(self.problems.counts or self.no_answer)

    @property
    def options_apply(self) -> bool:
        """Tell whether there is anything to verify."""
        return any(each.fits for each in self.found)

    @property
    def operations(self) -> list[str]:
        """List the operations that fit, if there are others that do not."""
        fitting = [each.operation for each in self.found if each.fits]
        return fitting if len(fitting) < len(self.found) else []

    def options(self) -> dict[str, str]:
        """Return the options of `verify` that ask for what fits, by name."""
        fitting = {each.operation: each for each in self.found if each.fits}
        profiles, named = {}, []
        for name, each in fitting.items():
            known, first = contract.get(name), each.fits[0]
            if first in known.alternatives:
                named.append(f"{name}:{first}")
            elif known.variations:
                profiles[name] = first
        chosen = {"profile": _joined(profiles), "variations": ",".join(named)}
        for option in OPTIONS:
            limits = {n: e.limits[option] for n, e in fitting.items() if option in e.limits}
            words = [f"{n}:{word}" for n, given in limits.items() for word in given]
            chosen[option] = ",".join(words)
        return {name: words for name, words in chosen.items() if words}

    def text(self) -> str:
        """Return a line for each operation."""
        lines = [f"{self.implementation}: which variation is computed", ""]
        lines += [each.text for each in self.found]
        if self.silent:
            lines.append(f"no answer: {', '.join(self.silent)}")
        if not self.found and not self.silent:
            lines.append("nothing is identified: it has no operation that is asked")
        lines += self.hints
        lines += [f"protocol: {n} {kind}" for kind, n in self.broken.items()]
        return "\n".join([*lines, *(f"  {text}" for text in self.problems.first)])

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "format": "aquant-ref identification 1",
            "implementation": self.implementation,
            "operations": [each.as_json() for each in self.found],
            "no_answer": self.silent,
            "options": self.options(),
            "protocol": {"counts": self.broken, "first": self.problems.first},
            "exit_code": self.exit_code,
        }


def _joined(profiles: dict[str, str]) -> str:
    """Return the most frequent variation, and those of single operations that have another."""
    if not profiles:
        return ""
    ((most, _),) = Counter(profiles.values()).most_common(1)
    return ",".join([most, *(f"{n}:{p}" for n, p in profiles.items() if p != most)])


@takes_functions
def identify(
    adapter: Adapter,
    *,
    capabilities: Capabilities | None = None,
    operations: Iterable[str] | None = None,
    generated: int = GENERATED,
    seed: int = SEED,
    progress: Progress = quiet,
) -> Identification:
    """Ask the adapter for each operation in each of its variations. Spec: AQ-CONF-14.

    `capabilities` replaces what it declares; variations that it declares do not matter. Raises
    InputError for an unknown operation, for one that it cannot be asked, or if it cannot start.
    """
    check_whole("generated", generated, 0, MOST)
    check_whole("seed", seed)
    asked = Asked(adapter, capabilities)
    names = names_of(asked, operations)
    asked.start()
    hints = asked.slips()
    names = list(filter(asked.supports, names))  # which a library says when it is loaded
    found, silent = [], []
    no_answer = Counter[str]()
    for k in progress(range(len(names)), "identify"):
        known = contract.get(names[k])
        # of two names of one variation the first
        choices = [known.choices[0], *(c.profile for c in variations(names[k], known.choices[0]))]
        trials = [
            tried(
                asked, declared_for(asked.capabilities, names[k], c), names[k], c, generated, seed
            )
            for c in choices
        ]
        for each in trials:
            no_answer.update(each.no_answer)
        answered = [each for each in trials if each.answered and each.collected.parts]
        if answered:
            found.append(_identified(names[k], answered))
        else:
            silent.append(names[k])
    _agree(found)
    name = printable(asked.name, MOST_NAME)
    return Identification(name, found, silent, asked.problems(), no_answer, hints)


def _identified(operation: str, trials: list[Trial]) -> Identified:
    result = Identified(operation, trials)
    fitting = [each for each in trials if each.fits]
    narrowed = [(each, *each.narrowed()) for each in trials if each not in fitting]
    if fitting:
        result.fits = [each.profile for each in fitting]
        # of a kernel with one rule of rounding, whatever it is asked
        result.limited = {each.profile: m for each, m, n in narrowed if n and _one_rule(m)}
        return result
    best = max(trials, key=lambda each: each.passed / each.answered)
    chosen, limits, right = max(narrowed, key=lambda each: each[2])
    if right:
        best, result.limits, result.right, result.fits = chosen, limits, right, [chosen.profile]
    found = _explained(best)
    if not right and found and found[0].variation:  # a fault of another variation
        best = result.trial(found[0].variation)
        found = _explained(best) or found
    result.nearest = best.profile
    result.explained = [] if found is None else explanation.lines(found)
    return result


def _one_rule(limits: Limits) -> bool:
    return [*limits] == ["rounding"] and len(set(limits["rounding"]) & NEAREST) == 1


def _explained(trial: Trial) -> list[Explanation] | None:
    found = diagnoses(trial.operation, {trial.profile: trial.collected})
    return found.get((trial.operation, trial.profile))


def _agree(found: Sequence[Identified]) -> None:
    """Say what all fitting variations have in common; first is what fits most operations."""
    frequent = Counter(profile for each in found for profile in each.fits)
    for each in found:
        if not each.fits or each.limits:
            continue
        fitting = [each.trial(profile) for profile in each.fits]
        # what has the right answers to the cases of all of them is all that it needs to compute
        whole = [p for p in each.fits if not any(_differs(trial, p) for trial in fitting)]
        alike = whole or [p for p in each.fits if not _differs(fitting[0], p)]
        alike.sort(key=lambda profile: -frequent[profile])  # of equals the contract's first
        others = [profile for profile in each.fits if profile not in alike]
        each.fits = [*alike, *others]
        each.alike = alike[1:]
        each.as_asked, each.too = ([], others) if whole else (others, [])
        each.right = each.trial(each.fits[0]).passed


def _differs(trial: Trial, profile: str) -> bool:
    candidate = Candidate(trial.operation, profile, other=True)
    for group in trial.groups:
        evidence = without_wrong(group.cases, group.expected)
        answers = candidate.answer(evidence.cases)
        same = evidence.agrees(np.arange(len(evidence)), answers)
        same[list(answers.other)] = True  # what it refuses parts nothing
        if not same.all():
            return True
    return False
