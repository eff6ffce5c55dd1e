"""A kernel in any language: a program that reads a stream of cases and writes one of answers."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from threading import Thread
from typing import IO

from aquant_ref.conformance import streams
from aquant_ref.conformance.adapters.base import Adapter, Capabilities, words
from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.contract import Operation
from aquant_ref.conformance.replies import Replies
from aquant_ref.conformance.selection import Selection
from aquant_ref.conformance.verdict import Answers
from aquant_ref.errors import InputError


class PipeAdapter(Adapter):
    """Starts `command` anew for each sequence of cases, which it gets on its standard input.

    The first line says what the operation is; a kernel without it answers `skip`. `timeout` is the
    number of seconds without an answer after which it counts as hanging. What breaks the protocol
    is collected in `problems`. Spec: AQ-CONF-2.
    """

    def __init__(
        self,
        command: str,
        *,
        timeout: float = 60,
        capabilities: Capabilities | None = None,
    ) -> None:
        self.name = command
        self.command = words("pipe", command)
        self.timeout = timeout
        self._capabilities = capabilities or Capabilities()

    def capabilities(self) -> Capabilities:
        """As they were given."""
        return self._capabilities

    def reaches(self, operation: Operation) -> bool:
        """A stream has no tensors."""
        return operation.scalar

    def supports(self, operation: str) -> bool:
        """A kernel says so itself, case by case."""
        return True

    def answer(self, selection: Selection, cases: Cases) -> Answers:
        """Run the kernel once; raises InputError where it cannot be started."""
        cases = replace(cases, ids=list(map(str, range(len(cases)))))  # ids that any kernel reads
        header = streams.header(selection, len(cases))
        replies = Replies(cases.ids, cases.operation.result, header)
        try:
            kernel = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            raise InputError(f"{' '.join(self.command)}: cannot be started ({error})") from error
        assert kernel.stdin is not None
        assert kernel.stdout is not None
        feeder = Thread(target=_feed, args=(kernel.stdin, [f"{header}\n", streams.lines(cases)]))
        feeder.start()
        problems = replies.problems
        try:
            for some in streams.split(streams.chunks(kernel.stdout, self.timeout)):  # type: ignore[arg-type]
                replies.read(some)
            code = kernel.wait(self.timeout)
            if code:
                how = signal_name(-code) if code < 0 else f"exit code {code}"
                problems.add("crash", f"{how} after {replies.answered} of {len(cases)} answers")
        except (streams.Silence, subprocess.TimeoutExpired):
            problems.add(
                "hang",
                f"no answer for {self.timeout:g} s after {replies.answered} of {len(cases)}",
            )
        except streams.Endless as error:
            problems.add("endless", f"stopped after {error}")
        finally:
            kernel.kill()
            kernel.wait()
            feeder.join()
            kernel.stdout.close()
        replies.finish()
        for text in problems.first:
            kind, _, rest = text.partition(": ")
            self.problems.add(kind, f"{selection.command_line()}: {rest}")
        return replies.answers(0, len(cases))


def _feed(stdin: IO[bytes], texts: Iterable[str]) -> None:
    with suppress(OSError):  # it has ended without reading on
        for text in texts:
            stdin.write(text.encode())
    with suppress(OSError):
        stdin.close()


def signal_name(number: int) -> str:
    """What ended a process, in words."""
    try:
        return f"signal {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"
