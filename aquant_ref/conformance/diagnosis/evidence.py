"""Keep the answers of an implementation that a diagnosis asks about: wrong ones and right ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.report.verdict import FAIL, PASS
from aquant_ref.typing import Array, Mask

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters.placing import Placed
    from aquant_ref.conformance.cases.family import Cases
    from aquant_ref.conformance.expected.results import Expected
    from aquant_ref.conformance.protocol.answers import Answers

MOST_OF_FLAG = {True: (2000, 50), False: (60, 12)}  # wrong and right ones, by "is scalar"
STEPS = (1, 5, 20)  # after so many questions a candidate is dropped that is wrong in one


@dataclass(frozen=True)
class Evidence:
    """Hold cases, what was answered, and whether it was wrong, (n,).

    The cases take turns: of each flag a wrong one, then a right one. `low` and `high` are what the
    contract expects.
    """

    cases: Cases
    values: Sequence[Array]
    low: Sequence[Array]
    high: Sequence[Array]
    wrong: Mask

    def __len__(self) -> int:
        return len(self.wrong)

    def take(self, chosen: Array) -> Evidence:
        """Select the cases at these positions."""
        values, low, high = (
            [column[chosen] for column in each] for each in (self.values, self.low, self.high)
        )
        return Evidence(self.cases.take(chosen), values, low, high, self.wrong[chosen])

    def flags(self) -> Array:
        """Return the flags of each case as one text, (n,)."""
        names = np.array(["+".join(flags) for flags in self.cases.flags])
        return names[self.cases.kind]

    def portions(self) -> Iterable[Array]:
        """Return the positions to ask one after the other, few first."""
        return np.split(np.arange(len(self)), [k for k in STEPS if k < len(self)])

    def agrees(self, chosen: Array, answers: Answers) -> Mask:
        """Tell for which of the chosen cases these are the answers that the implementation gave.

        Where the contract allows a range, every answer in it is as right as another.
        """
        same = np.ones(len(chosen), bool)
        columns = zip(self.values, self.low, self.high, answers.values, strict=True)
        for got, low, high, other in columns:
            for k, place in enumerate(chosen.tolist()):
                same[k] &= _same(got[place], other[k]) or (
                    not self.wrong[place] and _inside(low[place], other[k], high[place])
                )
        same[list(answers.other)] = False
        return same


def without_wrong(cases: Cases, expected: Expected) -> Evidence:
    """Return the right answers to these cases as evidence; those that are refused are left out."""
    chosen = np.flatnonzero(~expected.refused)
    right = Evidence(cases, expected.low, expected.low, expected.high, np.zeros(len(cases), bool))
    return right.take(chosen)


@dataclass
class Collected:
    """Collect evidence while an operation is asked in one variation."""

    parts: list[Evidence] = field(default_factory=list)
    counted: Counter[tuple[str, bool]] = field(default_factory=Counter)
    placed: list[Placed] = field(default_factory=list)

    def add(
        self,
        cases: Cases,
        expected: Expected,
        answers: Answers,
        status: Array,
        placed: Placed | None = None,
    ) -> None:
        """Keep some of these answers: of every flag the first wrong ones and the first right ones.

        A refusal and a crash are no evidence of values.
        """
        self.placed += [placed] if placed else []
        valued = ~expected.refused
        valued[list(answers.other)] = False
        chosen = []
        most = MOST_OF_FLAG[cases.operation.scalar]
        for kind, flags in enumerate(cases.flags):
            for verdict, limit in zip((FAIL, PASS), most, strict=True):
                key = "+".join(flags), verdict == FAIL
                found = np.flatnonzero(valued & (cases.kind == kind) & (status == verdict))
                found = found[: limit - self.counted[key]]
                self.counted[key] += len(found)
                chosen.append(found)
        every = np.sort(np.concatenate(chosen)).astype(int)
        if len(every):
            whole = Evidence(cases, answers.values, expected.low, expected.high, status == FAIL)
            self.parts.append(whole.take(every))

    def evidence(self) -> Evidence | None:
        """Return all of it, in the order in which it is asked; None if no answer is wrong."""
        if not any(part.wrong.any() for part in self.parts):
            return None
        whole = _joined(self.parts)
        return whole.take(_turns(whole))


def _joined(parts: Sequence[Evidence]) -> Evidence:
    flags = list(dict.fromkeys(f for part in parts for f in part.cases.flags))
    kinds = [
        np.array([flags.index(part.cases.flags[k]) for k in part.cases.kind.tolist()], int)
        for part in parts
    ]
    first = parts[0].cases

    def column(of: Any) -> Array:
        return np.concatenate([of(part) for part in parts])

    cases = replace(
        first,
        ids=[name for part in parts for name in part.cases.ids],
        flags=flags,
        kind=np.concatenate(kinds),
        columns={
            name: column(lambda part, name=name: part.cases.columns[name]) for name in first.columns
        },
    )
    values, low, high = (
        [
            column(lambda part, name=name, k=k: getattr(part, name)[k])
            for k in range(len(parts[0].values))
        ]
        for name in ("values", "low", "high")
    )
    return Evidence(cases, values, low, high, column(lambda part: part.wrong))


def _turns(evidence: Evidence) -> Array:
    """Return the order in which each flag has its turn, a wrong answer first, small ones first."""
    waiting: dict[tuple[bool, str], list[int]] = defaultdict(list)
    sizes = [size_of(evidence.cases, k) for k in range(len(evidence))]
    flags, wrong = evidence.flags().tolist(), evidence.wrong.tolist()
    for k in sorted(range(len(evidence)), key=sizes.__getitem__):
        waiting[not wrong[k], flags[k]].append(k)
    rows = [waiting[key] for key in sorted(waiting)]
    longest = max(map(len, rows))
    return np.array([row[k] for k in range(longest) for row in rows if k < len(row)])


def size_of(cases: Cases, k: int) -> int:
    """Count the elements of a case on tensors; 0 is any other."""
    if cases.operation.scalar:
        return 0
    return sum(np.size(column[k]) for column in cases.columns.values())


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.shape(a) == np.shape(b) and bool(np.array_equal(a, b))
    return a is not None and bool(a == b or (a != a and b != b))


def _inside(low: Any, value: Any, high: Any) -> bool:
    if value is None or np.shape(low) != np.shape(value):
        return False
    return bool(np.all((low <= value) & (value <= high)))
