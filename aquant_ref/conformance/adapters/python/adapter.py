"""An adapter in Python, in a process of its own, which may crash or hang. Spec: AQ-CONF-9."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from aquant_ref.conformance.adapters.apart import ApartAdapter
from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.adapters.conversation import Conversation, Ended
from aquant_ref.conformance.adapters.python.messages import message, of_cases, received
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.errors import InputError

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.family import Cases
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.contract import Operation

START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "sys.stdout.reconfigure(line_buffering=True); "  # what it prints is seen before it crashes
    "from aquant_ref.conformance.adapters.python.host import main; "
    "main(sys.argv[1], int(sys.argv[2]))"
)
SECONDS_TO_START = 60.0  # at least, to import what the adapter needs, and to prepare it


class PythonAdapter(ApartAdapter):
    """Ask the adapter `package.module:Class` in a process of its own.

    A call, or a case that is asked alone, may take `timeout` seconds, and the process `memory`
    bytes (None: those of the machine). The process starts with the first question, and again after
    a crash or a hang. Raises InputError if the adapter cannot be made.
    """

    block = 1 << 16

    def __init__(self, name: str, *, timeout: float = 60, memory: int | None = None) -> None:
        super().__init__(timeout)
        self.name = self.adapter = name
        most = _of_the_machine() if memory is None else memory
        command = [sys.executable, "-c", START, json.dumps(sys.path), name, str(most)]
        self._talk = Conversation(command, timeout, aloud=True)
        self._patience = max(timeout, SECONDS_TO_START)
        self._started = False

    def capabilities(self) -> Capabilities:
        """Return what the adapter declares."""
        return Capabilities(**self._asked("capabilities"))

    def supports(self, operation: str) -> bool:
        """Tell whether the adapter does."""
        return bool(self._asked("supports", operation=operation))

    def reaches(self, operation: Operation) -> bool:
        """Tell whether the adapter does."""
        return bool(self._asked("reaches", operation=operation.name))

    def other_names(self) -> list[str]:
        """Return those of the adapter."""
        return list(self._asked("other_names"))

    def start(self) -> None:
        """Start the adapter; raises InputError where that fails."""
        super().start()
        self._asked("start", self._patience)
        self._started = True
        self.one_array = bool(self._asked("one_array"))

    def together(self, selection: Selection, cases: Cases) -> Answers | None:
        """Ask for all cases; the adapter asks its methods as it does in this process."""
        self._open()
        return self._answers(self._question(selection, cases, alone=False))

    def alone(self, selection: Selection, cases: Cases) -> tuple[list[Answers], Ended | None]:
        """Ask for one case after the other."""
        self._open()
        found: list[Answers] = []
        question = self._question(selection, cases, alone=True)
        for _ in range(len(cases)):
            try:
                found.append(self._answers(question))
            except Ended as error:
                return found, error
            question = []
        return found, None

    @staticmethod
    def _question(selection: Selection, cases: Cases, *, alone: bool) -> list[Any]:
        return message({"do": "answer", "alone": alone, **of_cases(selection, cases)})

    def _answers(self, question: list[Any]) -> Answers:
        told = self._told(question, self.timeout)
        problems = self.problems
        problems.first += told["first"]
        for kind, n in told["counts"].items():
            problems.counts[kind] = problems.counts.get(kind, 0) + n
        other = {int(k): (what, reason) for k, (what, reason) in told["other"].items()}
        return Answers(told["values"], other)

    def _asked(self, do: str, seconds: float | None = None, **more: Any) -> Any:
        self._open()
        try:
            return self._told(message({"do": do, **more}), seconds or self.timeout)
        except Ended as error:
            how = "hangs" if error.hangs else "ends"
            reason = f"{how} in {do}() ({error.reason})"
            raise InputError(f"adapter: {self.adapter!r} {reason}") from error

    def _open(self) -> None:
        """Start the process, unless it runs."""
        if self._talk.runs:
            return
        self._talk.open()
        try:
            self.name = self._told([], self._patience)
        except Ended as error:
            reason = f"cannot be created ({error.reason})"
            raise InputError(f"adapter: {self.adapter!r} {reason}") from error
        if self._started:
            self._asked("start", self._patience)

    def _told(self, question: list[Any], seconds: float) -> Any:
        """Send a question, and return its answer; raises Ended, or InputError as the adapter."""

        def read() -> Any:
            return received(self._talk.line(), self._talk.read)

        try:
            told = self._talk.ask(question, read, seconds)
            if "wrong" not in told:
                return told["value"]
        except (InputError, LookupError, TypeError, ValueError) as error:
            self._talk.close()
            raise Ended("what it sent is no answer", hangs=False) from error
        raise InputError(told["wrong"])


def _of_the_machine() -> int:
    """Return the bytes of memory of this machine; where it does not say, so many as none has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 1 << 62
