"""A kernel in a shared library: C functions, called a million cases at a time. Spec: AQ-CONF-6."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.adapters.base import Adapter
from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.adapters.conversation import Ended
from aquant_ref.conformance.adapters.library import abi
from aquant_ref.conformance.adapters.library.process import INT32, Call, Library, Unanswered
from aquant_ref.conformance.cases.family import Cases, blank_results
from aquant_ref.conformance.contract import Operation, get
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.protocol.streams import check_timeout
from aquant_ref.typing import Array, Integers

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.selection import Selection

BLOCK = 1 << 20  # cases in a call
MOST = {"crash": 20, "hang": 3}  # of an operation; the rest of its cases is not asked then
NOT_ASKED = "not asked, as the operation had {} {}es before"
BEYOND = "an input is beyond int32, which the function takes"


class LibraryAdapter(Adapter):
    """Calls the functions of the shared library `path`; what it does not export is unsupported.

    `timeout` is the number of seconds that a call may take. A case that crashes or hangs is found
    by calling with each alone, and the rest goes on. Raises InputError, which names the file, for
    what is no library for this machine.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        timeout: float = 60,
        capabilities: Capabilities | None = None,
    ) -> None:
        self.name = str(path)
        self.library = Library(path, check_timeout(timeout))
        self._capabilities = capabilities or Capabilities()
        self._ends: Counter[tuple[str, str]] = Counter()  # by operation and kind

    def capabilities(self) -> Capabilities:
        """As they were given."""
        return self._capabilities

    def reaches(self, operation: Operation) -> bool:
        """All but a whole program: C has no type for JSON."""
        return abi.expressible(operation)

    def supports(self, operation: str) -> bool:
        """Whether the library exports its function."""
        return abi.symbol(get(operation)) in self.library.symbols

    def start(self) -> None:
        """Load the library; raises InputError where that fails or its ABI is another."""
        self._ends.clear()
        self.library.open()

    def answer(self, selection: Selection, cases: Cases) -> Answers:
        """Call the function with all cases; of an operation on tensors with one after the other."""
        answers = Answered(cases)
        for group in _groups(cases, answers):
            self._ask(cases, group, answers)
        for kind, reason in answers.problems:
            self.problems.add(kind, f"{selection.command_line()}: {reason}")
        return Answers(answers.columns, answers.other)

    def _ask(self, cases: Cases, waiting: Integers, answers: Answered) -> None:
        """Ask for these in one call; where it ends the process, find the case that does."""
        name = cases.operation.name
        while len(waiting):
            if stopped := [kind for kind, most in MOST.items() if self._ends[name, kind] >= most]:
                reason = NOT_ASKED.format(MOST[stopped[0]], stopped[0])
                answers.without(waiting, "missing", reason)
                return
            call = _call(cases, waiting)
            end: Ended | None = None
            alone: list[list[Array] | Unanswered] = []
            try:
                answers.fill(waiting, self.library.call(call))
                return
            except Unanswered as error:
                if len(waiting) == 1:
                    answers.without(waiting, *error.answer)
                    return
            except Ended as error:
                end = error
            if len(waiting) > 1:
                together = end
                alone, end = self.library.one_by_one(call)
                if end is None and together is not None:
                    self._ends[name, together.kind] += 1
                    answers.ended(waiting, together, f"{len(waiting)} cases in one call")
                    return
            for place, got in zip(waiting, alone, strict=False):
                if isinstance(got, Unanswered):
                    answers.without([place], *got.answer)
                else:
                    answers.fill([place], got)
            waiting = waiting[len(alone) :]
            if end is not None:
                self._ends[name, end.kind] += 1
                answers.ended(waiting[:1], end, cases.ids[waiting[0]])
                waiting = waiting[1:]


class Answered:
    """What came back until now."""

    def __init__(self, cases: Cases) -> None:
        self._scalar = cases.operation.scalar
        self.columns = blank_results(cases.operation, len(cases))
        self.other: dict[int, tuple[str, str]] = {}
        self.problems: list[tuple[str, str]] = []

    def fill(self, chosen: Integers | list[int], results: list[Array]) -> None:
        """Store the results of these cases."""
        for column, result in zip(self.columns, results, strict=True):
            if self._scalar:
                column[chosen] = result
            else:
                column[chosen[0]] = result

    def without(self, chosen: Integers | list[int], what: str, reason: str) -> None:
        """No value for these cases."""
        self.other |= dict.fromkeys(map(int, chosen), (what, reason))

    def ended(self, chosen: Integers, end: Ended, where: str) -> None:
        """Record that these cases, alone or together, ended the process."""
        self.without(chosen, "missing" if end.hangs else "crash", end.reason)
        self.problems.append((end.kind, f"{where}: {end.reason}"))


def _groups(cases: Cases, answers: Answered) -> list[Integers]:
    """Positions of the cases that are asked together: those with the same strings, in blocks."""
    if not cases.operation.scalar:
        return list(np.arange(len(cases))[:, None])
    fields = cases.operation.fields
    fits = np.ones(len(cases), bool)
    for field in fields:
        if field.type == "i32":
            column = cases.columns[field.name]
            fits &= (column >= INT32.min) & (column <= INT32.max)
    answers.without(np.flatnonzero(~fits), "skip", BEYOND)
    found = [np.flatnonzero(fits)]
    for field in fields:
        if field.type == "str":
            column = cases.columns[field.name]
            found = [p[column[p] == text] for p in found for text in np.unique(column[p])]
    return [p[first : first + BLOCK] for p in found for first in range(0, len(p), BLOCK)]


def _call(cases: Cases, chosen: Integers) -> Call:
    operation = cases.operation
    call = Call(abi.symbol(operation), len(chosen) if operation.scalar else None)
    call.add("text", cases.profile)
    for field in operation.fields:
        column = cases.columns[field.name]
        if field.type == "str":
            call.add("text", str(column[chosen[0]]))
        elif operation.scalar:
            call.array(field.type, column[chosen])
        elif field.axes:
            value = np.asarray(column[chosen[0]])
            call.array(field.type, value)
            if field.tensor:
                call.add("shape", list(value.shape))
        else:
            value = np.asarray(column[chosen[0]])
            call.add("value", field.type, value.item())
    for field in operation.result:
        call.result(field.type, len(field.axes))
    return call
