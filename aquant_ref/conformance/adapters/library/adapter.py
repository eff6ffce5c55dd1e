"""A kernel in a shared library: C functions, called a million cases at a time. Spec: AQ-CONF-6."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.adapters.apart import Answered, ApartAdapter
from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.adapters.conversation import Ended
from aquant_ref.conformance.adapters.library import abi
from aquant_ref.conformance.adapters.library.process import INT32, Call, Library, Unanswered
from aquant_ref.conformance.cases.family import Cases, blank_results, objects
from aquant_ref.conformance.contract import OPERATIONS, Operation, get
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.typing import Array, Integers

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.selection import Selection

BEYOND = "an input is beyond int32, which the function takes"


class LibraryAdapter(ApartAdapter):
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
        super().__init__(timeout)
        self.name = str(path)
        self.library = Library(path, timeout)
        self._capabilities = capabilities or Capabilities()

    def capabilities(self) -> Capabilities:
        """As they were given."""
        return self._capabilities

    def reaches(self, operation: Operation) -> bool:
        """All but a whole program: C has no type for JSON."""
        return abi.expressible(operation)

    def supports(self, operation: str) -> bool:
        """Whether the library exports its function."""
        return abi.symbol(get(operation)) in self.library.symbols

    def other_names(self) -> list[str]:
        """List names in the file that look like those of functions, and are none."""
        names = {each.removeprefix("aquant_") for each in self.library.alike}
        return sorted(names - OPERATIONS.keys())

    def start(self) -> None:
        """Load the library; raises InputError where that fails or its ABI is another."""
        super().start()
        self.library.open()

    def groups(self, cases: Cases, answers: Answered) -> list[Integers]:
        """Return the positions of the cases with the same strings, in blocks."""
        blocks = super().groups(cases, answers)
        if not cases.operation.scalar:
            return blocks
        fields = cases.operation.fields
        fits = np.ones(len(cases), bool)
        for field in fields:
            if field.type == "i32":
                column = cases.columns[field.name]
                fits &= (column >= INT32.min) & (column <= INT32.max)
        answers.without(np.flatnonzero(~fits), "skip", BEYOND)
        found = [block[fits[block]] for block in blocks]
        for field in fields:
            if field.type == "str":
                column = cases.columns[field.name]
                found = [p[column[p] == text] for p in found for text in np.unique(column[p])]
        return found

    def together(self, _selection: Selection, cases: Cases) -> Answers | None:
        """Call the function with all cases, or with the one on tensors."""
        try:
            return _answers(cases.operation, self.library.call(_call(cases)))
        except Unanswered as error:
            return _answers(cases.operation, error) if len(cases) == 1 else None

    def alone(self, _selection: Selection, cases: Cases) -> tuple[list[Answers], Ended | None]:
        """Call the function with one case after the other."""
        operation = cases.operation
        found: list[list[Array] | Unanswered] = []
        end = None
        if operation.scalar:
            found, end = self.library.one_by_one(_call(cases))
        else:
            for k in range(len(cases)):
                try:
                    found.append(self.library.call(_call(cases.take([k]))))
                except Unanswered as error:
                    found.append(error)
                except Ended as error:
                    end = error
                    break
        return [_answers(operation, got) for got in found], end


def _answers(operation: Operation, got: list[Array] | Unanswered) -> Answers:
    if isinstance(got, Unanswered):
        return Answers(blank_results(operation, 1), {0: got.answer})
    return Answers(got if operation.scalar else [objects([each]) for each in got], {})


def _call(cases: Cases) -> Call:
    operation = cases.operation
    call = Call(abi.symbol(operation), len(cases) if operation.scalar else None)
    call.add("text", cases.profile)
    for field in operation.fields:
        column = cases.columns[field.name]
        if field.type == "str":
            call.add("text", str(column[0]))
        elif operation.scalar:
            call.array(field.type, column)
        elif field.axes:
            value = np.asarray(column[0])
            call.array(field.type, value)
            if field.tensor:
                call.add("shape", list(value.shape))
        else:
            value = np.asarray(column[0])
            call.add("value", field.type, value.item())
    for field in operation.result:
        call.result(field.type, len(field.axes))
    return call
