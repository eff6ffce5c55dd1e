"""The process that has an adapter in Python, and asks it what the kit asks through its pipes.

The answers go to what was standard output. What the adapter prints goes to standard error.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any, BinaryIO

from aquant_ref.conformance.adapters.asking import Asked
from aquant_ref.conformance.adapters.base import load
from aquant_ref.conformance.adapters.python.messages import cases_of, message, received
from aquant_ref.conformance.contract import get
from aquant_ref.conformance.protocol.replies import Problems
from aquant_ref.errors import InputError

# It is the first to go where a machine runs out of memory.
FIRST_TO_GO = ("/proc/self/oom_score_adj", "1000")


def main(name: str, memory: int) -> None:
    """Make the adapter, say its name, then answer until there are no more questions."""
    stdin, stdout = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # an adapter that prints does not answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks is interrupted, and ends this process
    os.environ.pop("PYTEST_CURRENT_TEST", None)  # no test runs in this process
    _limit(memory)
    serve(name, stdin, stdout)


def _limit(memory: int) -> None:
    """Refuse more memory than this, and more than the machine has before others suffer."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (memory, hard))
    with suppress(OSError), open(FIRST_TO_GO[0], "w") as stream:
        stream.write(FIRST_TO_GO[1])


def _flush() -> None:
    """Write what the adapter left in a buffer of C, for nobody waits when this is ended."""
    with suppress(ImportError, OSError, AttributeError, TypeError):  # of no such C library
        import ctypes

        ctypes.CDLL(None).fflush(None)


def serve(name: str, stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Answer what is asked of the adapter `name`, until the end of `stdin`."""

    def read(count: int) -> bytearray:
        data = bytearray(stdin.read(count))
        if len(data) < count:
            sys.exit("input ends too soon")
        return data

    def tell(value: dict[str, Any]) -> None:
        _flush()
        for part in message(value):
            stdout.write(part)
        stdout.flush()

    try:
        service = Service(Asked(load(name)))
        tell({"value": service.asked.name})
    except InputError as error:
        tell({"wrong": str(error)})
        return
    while line := stdin.readline():
        try:
            question = received(line, read)
        except InputError:  # a child that the adapter forked reads it, too
            sys.exit("what is asked cannot be read")
        try:
            for value in service.answers(question):
                tell({"value": value})
        except InputError as error:
            tell({"wrong": str(error)})


class Service:
    """Ask an adapter; each answer to cases comes with the problems that are new."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self._told = Problems()

    def answers(self, question: dict[str, Any]) -> Iterator[Any]:
        """Yield what `question` asks: one value, or one for each case."""
        match question["do"]:
            case "capabilities":
                yield asdict(self.asked.capabilities)
            case "start":
                self.asked.start()
                yield None
            case "supports":
                yield self.asked.supports(question["operation"])
            case "reaches":
                yield self.asked.reaches(get(question["operation"]))
            case "one_array":
                yield self.asked.one_array
            case "other_names":
                yield self.asked.other_names()
            case "answer":
                yield from self._of_cases(question)

    def _of_cases(self, question: dict[str, Any]) -> Iterator[Any]:
        selection, cases = cases_of(question)
        alone = question["alone"]
        for part in (cases.take([k]) for k in range(len(cases))) if alone else [cases]:
            answers = self.asked.answer(selection, part)
            yield {
                "values": list(answers.values),
                "other": {str(k): list(told) for k, told in answers.other.items()},
                **self._news(),
            }

    def _news(self) -> dict[str, Any]:
        now, before = self.asked.problems(), self._told
        self._told = now
        counts = {kind: n - before.counts.get(kind, 0) for kind, n in now.counts.items()}
        return {"first": now.first[len(before.first) :], "counts": counts}
