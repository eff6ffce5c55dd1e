"""Try a variation: ask an operation in it, and see for which codes and scales all is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.adapters import placing
from aquant_ref.conformance.adapters.capabilities import TAG_OF
from aquant_ref.conformance.diagnosis.evidence import Collected
from aquant_ref.conformance.report.report import BROKEN
from aquant_ref.conformance.report.verdict import PASS, UNSUPPORTED, verdicts
from aquant_ref.conformance.verification import groups_of

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters.asking import Asked
    from aquant_ref.conformance.adapters.capabilities import Capabilities
    from aquant_ref.conformance.vectors import Group

LEAST = 20  # right answers that a part of the codes needs
Words = Mapping[str, frozenset[Any]]  # of "bits", "signs", "granularity", "rounding"


@dataclass(frozen=True)
class Part:
    """Count the answers to cases that depend on these words."""

    words: Words
    passed: int
    answered: int


@dataclass
class Trial:
    """Hold what came back in one variation, and whether its own answers part it from another."""

    operation: str
    profile: str
    parts: list[Part] = field(default_factory=list)
    collected: Collected = field(default_factory=Collected)
    groups: list[Group] = field(default_factory=list)  # those that are stored
    no_answer: Counter[str] = field(default_factory=Counter)  # what breaks the protocol

    @property
    def passed(self) -> int:
        """Count right answers."""
        return sum(part.passed for part in self.parts)

    @property
    def answered(self) -> int:
        """Count the cases that are not unsupported."""
        return sum(part.answered for part in self.parts)

    @property
    def fits(self) -> bool:
        """Tell whether all answers are right."""
        return 0 < self.passed == self.answered

    @property
    def share(self) -> str:
        """Return the counts as text."""
        return f"{self.passed} of {self.answered}"

    def narrowed(self) -> tuple[dict[str, tuple[Any, ...]], int]:
        """Return the codes and scales for which all answers are right, and how many these are.

        It is the choice with the most right answers, such as 8 bits, signed. Nothing is returned
        where they are few.
        """
        wrong = [part for part in self.parts if part.passed < part.answered]
        of_words = {name: sorted(_all(self.parts, name), key=str) for name in self._names()}
        best: dict[str, tuple[Any, ...]] = {}
        most = LEAST - 1
        for chosen in product(*(_subsets(values) for values in of_words.values())):
            allowed = dict(zip(of_words, chosen, strict=True))
            if any(_within(part.words, allowed) for part in wrong):
                continue
            right = sum(part.passed for part in self.parts if _within(part.words, allowed))
            if right > most:
                best, most = allowed, right
        less = {name: words for name, words in best.items() if len(words) < len(of_words[name])}
        return less, most if best else 0

    def _names(self) -> list[str]:
        tags = contract.get(self.operation).tags
        return [name for name, tag in TAG_OF.items() if tag in tags]


def _all(parts: Sequence[Part], name: str) -> set[Any]:
    return {word for part in parts for word in part.words[name]}


def _subsets(values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the largest first."""
    return [c for n in range(len(values), 0, -1) for c in combinations(values, n)]


def _within(words: Words, allowed: Mapping[str, tuple[Any, ...]]) -> bool:
    return all(words[name] <= {*chosen} for name, chosen in allowed.items())


def declared_for(capabilities: Capabilities, operation: str, profile: str) -> Capabilities:
    """Return the capabilities with one variation of this operation, whatever they declare."""
    known = contract.get(operation)
    kept = [v for v in capabilities.variations if not v.startswith(f"{operation}:")]
    own: dict[str, Any] = {**capabilities.by_operation.get(operation, {})}
    if profile in known.variations:
        own["requantization"] = (profile,)
    elif known.alternatives:
        kept.append(f"{operation}:{profile}")
    by_operation = {**capabilities.by_operation, operation: own}
    return replace(capabilities, variations=tuple(kept), by_operation=by_operation, rejects=False)


def tried(
    asked: Asked, capabilities: Capabilities, operation: str, profile: str, count: int, seed: int
) -> Trial:
    """Ask an operation in a variation: the stored vectors, and `count` generated cases.

    Where the stored ones are answered wrongly, none are generated.
    """
    trial = Trial(operation, profile)
    for turn, (group, stored) in enumerate(groups_of(capabilities, operation, count, seed)):
        selection = group.selection
        if selection.profile != profile or selection.rejects or not capabilities.cover(selection):
            continue
        if not stored and not trial.fits:
            break
        answers, placed = placing.ask(asked, group, turn, stored=stored)
        status = verdicts(group.expected, answers)
        trial.parts += _parts(group, status)
        trial.collected.add(group.cases, group.expected, answers, status, placed)
        trial.groups += [group] * stored
        trial.no_answer.update(what for what, _ in answers.other.values() if what in BROKEN)
    return trial


def _parts(group: Group, status: Any) -> Iterator[Part]:
    """Yield a part for each rule of rounding, or one."""
    selection = group.selection
    words = {name: frozenset(getattr(selection, name)) for name in TAG_OF}
    column = group.cases.columns.get("rounding")
    for rule in [None] if column is None else np.unique(column):
        mine = status if rule is None else status[column == rule]
        of_rule = {} if rule is None else {"rounding": frozenset([str(rule)])}
        passed, skipped = (int((mine == each).sum()) for each in (PASS, UNSUPPORTED))
        yield Part({**words, **of_rule}, passed, len(mine) - skipped)
