"""Ask a kernel in any language: it reads a stream of cases and writes a stream of answers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from threading import Thread
from typing import IO, TYPE_CHECKING

from aquant_ref.conformance.adapters.process import GRACE, Kernel, ProcessAdapter, sweep
from aquant_ref.conformance.protocol import streams
from aquant_ref.conformance.protocol.replies import Replies
from aquant_ref.errors import counted

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters.capabilities import Capabilities
    from aquant_ref.conformance.cases.family import Cases
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.contract import Operation
    from aquant_ref.conformance.protocol.answers import Answers


class PipeAdapter(ProcessAdapter):
    """Start `command` anew for each sequence of cases, which it reads from standard input.

    The first line names the operation; a kernel that does not have it answers `skip`. A kernel that
    gives no answer for `timeout` seconds counts as hanging. Spec: AQ-CONF-2.
    """

    one_array = True

    def __init__(
        self,
        command: str,
        *,
        timeout: float = 60,
        capabilities: Capabilities | None = None,
    ) -> None:
        super().__init__("pipe", command, timeout, capabilities)

    def reaches(self, operation: Operation) -> bool:
        """Refuse operations on tensors, which no stream can hold."""
        return operation.scalar

    def answer(self, selection: Selection, cases: Cases) -> Answers:
        """Run the kernel once; InputError if it cannot be started."""
        if (before := self.not_asked(cases)) is not None:
            return before
        cases = replace(cases, ids=list(map(str, range(len(cases)))))  # ids that any kernel reads
        header = streams.header(selection, len(cases))
        replies = Replies(cases.ids, cases.operation.result, header)
        try:
            self._run(cases, header, replies)
        finally:
            sweep(self.mark)
        replies.finish()
        for text in replies.problems.first:
            kind, _, rest = text.partition(": ")
            if kind == "hang":
                self.hangs(cases, f"{selection.command_line()}: {rest}")
            else:
                self.problems.add(kind, f"{selection.command_line()}: {rest}")
        return replies.answers(0, len(cases))

    def _run(self, cases: Cases, header: str, replies: Replies) -> None:
        pipe = subprocess.PIPE
        code = 0
        with Kernel(self.command, self.mark, stdin=pipe, stdout=pipe) as kernel:
            stdin, stdout = kernel.popen.stdin, kernel.popen.stdout
            assert stdin is not None
            assert stdout is not None
            texts = [f"{header}\n", streams.lines(cases)]
            feeder = Thread(target=_feed, args=(stdin, texts), daemon=True)
            feeder.start()
            with stdout:
                if replies.receive(stdout, self.timeout):  # type: ignore[arg-type]
                    try:
                        code = kernel.popen.wait(self.timeout)
                    except subprocess.TimeoutExpired:
                        replies.silence(self.timeout)
        feeder.join(GRACE)
        if code:
            before = f"after {replies.answered} of {counted(len(cases), 'answer')}"
            replies.problems.add("crash", kernel.ended(code, before))


def _feed(stdin: IO[bytes], texts: Iterable[str]) -> None:
    with suppress(OSError), stdin:  # it may end, or stop reading, before all is written
        for text in texts:
            data = memoryview(text.encode())
            while data:
                data = data[stdin.write(data) or 0 :]
