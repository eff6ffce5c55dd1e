"""Ask an implementation in a process of its own: find the case that ends it, go on with the rest.

Spec: AQ-CONF-6, AQ-CONF-9.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.adapters.base import Adapter
from aquant_ref.conformance.adapters.conversation import Ended
from aquant_ref.conformance.cases.family import Cases, blank_results
from aquant_ref.conformance.protocol.answers import NOT_ASKED, Answers
from aquant_ref.conformance.protocol.streams import check_timeout
from aquant_ref.errors import counted
from aquant_ref.typing import Integers

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.selection import Selection

MOST = {"crash": 20, "hang": 3}  # of an operation; the rest of its cases is not asked then
TRIES = 2  # so often the cases of a call are asked together; then what is left of them alone
GIVEN_UP = NOT_ASKED + ", as the operation had {} before"


class ApartAdapter(Adapter):
    """Ask many cases in one call, and each alone where that call ends the process.

    A call may take `timeout` seconds. `problems` names each crash and hang. A crash that no case
    alone causes counts for all of the call; a call that is only slow is asked case by case.
    """

    block = 1 << 20  # cases in a call

    def __init__(self, timeout: float) -> None:
        self.timeout = check_timeout(timeout)
        self._ends: Counter[tuple[str, str]] = Counter()  # by operation and kind

    @abstractmethod
    def together(self, selection: Selection, cases: Cases) -> Answers | None:
        """Ask in one call; None if each case has to be asked alone. Raises Ended."""

    @abstractmethod
    def alone(self, selection: Selection, cases: Cases) -> tuple[list[Answers], Ended | None]:
        """Ask each case alone, up to the first that ends the process: what was answered."""

    def start(self) -> None:
        """Forget which operations ended the process before."""
        self._ends.clear()

    def groups(self, cases: Cases, _answers: Answered) -> list[Integers]:
        """Return the positions of the cases that are asked together."""
        everywhere = np.arange(len(cases))
        return [everywhere[k : k + self.block] for k in range(0, len(cases), self.block)]

    def answer(self, selection: Selection, cases: Cases) -> Answers:
        """Ask for all cases, whatever some of them do to the process."""
        answers = Answered(cases)
        for group in self.groups(cases, answers):
            self._ask(selection, cases, group, answers)
        for kind, reason in answers.problems:
            self.problems.add(kind, f"{selection.command_line()}: {reason}")
        return Answers(answers.columns, answers.other)

    def _ask(
        self, selection: Selection, cases: Cases, waiting: Integers, answers: Answered
    ) -> None:
        name, tries = cases.operation.name, TRIES if cases.operation.scalar else 0
        while len(waiting):
            if stopped := [kind for kind, most in MOST.items() if self._ends[name, kind] >= most]:
                several = {"crash": "crashes", "hang": "hangs"}[stopped[0]]
                reason = GIVEN_UP.format(counted(MOST[stopped[0]], stopped[0], several))
                answers.without(waiting, "missing", reason)
                return
            these = cases if len(waiting) == len(cases) else cases.take(waiting)
            first = None
            if tries:
                tries -= 1
                try:
                    found = self.together(selection, these)
                except Ended as error:
                    first = error
                else:
                    if found is not None:
                        answers.fill(waiting, found)
                        return
            started = time.monotonic()
            at_fault = first is not None and len(waiting) == 1
            found_alone, end = ([], first) if at_fault else self.alone(selection, these)
            if first is not None and end is None and not self._slow(first, started):
                self._ends[name, first.kind] += 1
                answers.ended(waiting, first, f"{len(waiting)} cases in one call")
                return
            for place, got in zip(waiting, found_alone, strict=False):
                answers.fill([place], got)
            waiting = waiting[len(found_alone) :]
            if end is not None:
                self._ends[name, end.kind] += 1
                answers.ended(waiting[:1], end, cases.ids[waiting[0]])
                waiting = waiting[1:]

    def _slow(self, first: Ended, started: float) -> bool:
        """Tell whether the cases together were slow: alone they took as long."""
        return first.hangs and time.monotonic() - started >= self.timeout


class Answered:
    """Collect what came back until now."""

    def __init__(self, cases: Cases) -> None:
        self.columns = blank_results(cases.operation, len(cases))
        self.other: dict[int, tuple[str, str]] = {}
        self.problems: list[tuple[str, str]] = []

    def fill(self, chosen: Integers | list[int], answers: Answers) -> None:
        """Store the answers to these cases."""
        for column, values in zip(self.columns, answers.values, strict=True):
            column[chosen] = values
        self.other |= {int(chosen[k]): told for k, told in answers.other.items()}

    def without(self, chosen: Integers | list[int], what: str, reason: str) -> None:
        """No value for these cases."""
        self.other |= dict.fromkeys(map(int, chosen), (what, reason))

    def ended(self, chosen: Integers, end: Ended, where: str) -> None:
        """Record that these cases, alone or together, ended the process."""
        self.without(chosen, "missing" if end.hangs else "crash", end.reason)
        self.problems.append((end.kind, f"{where}: {end.reason}"))
