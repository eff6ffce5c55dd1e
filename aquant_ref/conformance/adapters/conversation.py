"""Ask a process of its own, which may crash or hang, and read what it answers."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Sequence
from threading import Timer
from typing import Any, TypeVar
from weakref import finalize

from aquant_ref.conformance.adapters.process import Kernel, sweep

T = TypeVar("T")
AHEAD = 1 << 16  # bytes read at a time


class Ended(Exception):
    """The process ended during a call. `hangs`: it was ended, since it gave no answer in time."""

    def __init__(self, reason: str, *, hangs: bool) -> None:
        super().__init__(reason)
        self.reason, self.hangs = reason, hangs

    @property
    def kind(self) -> str:
        """As `Problems` counts it."""
        return "hang" if self.hangs else "crash"


class Conversation:
    """Run `command`, send it bytes, and read its answers; each may take `timeout` seconds.

    With `aloud`, what the process writes on standard error goes to this one's, too.
    """

    def __init__(self, command: Sequence[str], timeout: float, *, aloud: bool = False) -> None:
        self._command, self.timeout, self._aloud = command, timeout, aloud
        self._mark = secrets.token_hex(8)
        self._running: list[Kernel] = []
        self._ahead = bytearray()  # read, and not yet asked for
        finalize(self, _end, self._running)

    @property
    def runs(self) -> bool:
        """Tell whether the process was started, and has not ended since."""
        return bool(self._running)

    def open(self) -> None:
        """Start the process anew; InputError if that fails."""
        self.close()
        self._ahead.clear()
        pipe = subprocess.PIPE
        kernel = Kernel(self._command, self._mark, stdin=pipe, stdout=pipe, aloud=self._aloud)
        self._running.append(kernel)

    def close(self) -> None:
        """End the process, and what it started."""
        _end(self._running)

    def ask(
        self, request: Sequence[Any], answer: Callable[[], T], timeout: float | None = None
    ) -> T:
        """Send the parts of a request, and return what `answer` reads; raises Ended.

        `timeout` is another number of seconds for this answer.
        """
        seconds = self.timeout if timeout is None else timeout
        (kernel,) = self._running
        late: list[bool] = []

        def end() -> None:
            late.append(True)
            kernel.kill()
            sweep(kernel.mark)  # what it started may hold the pipe that is read here

        timer = Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            for part in request:
                self._send(part)
            return answer()
        except (OSError, EOFError) as error:
            raise self._ended(kernel, seconds if late else None) from error
        except KeyboardInterrupt:  # after it nothing may be left to end the process
            self.close()
            raise
        finally:
            timer.cancel()
            timer.join()  # or else it may end the next process, which has the same mark

    def _ended(self, kernel: Kernel, waited: float | None) -> Ended:
        if waited is not None:
            self.close()
            return Ended(f"no answer after {waited:g} s", hangs=True)
        try:
            code = kernel.popen.wait(self.timeout)
        except subprocess.TimeoutExpired:
            code = 0  # it closed its output, and goes on
        self.close()
        return Ended(kernel.ended(code), hangs=False)

    def _send(self, data: Any) -> None:
        stdin = self._running[0].popen.stdin
        assert stdin is not None
        view = memoryview(data)
        while view:
            view = view[stdin.write(view) or 0 :]

    def read(self, count: int) -> bytearray:
        """Return the next bytes, so many; EOFError, for `ask`, where they do not come."""
        stdout = self._running[0].popen.stdout
        data = self._ahead[:count]
        del self._ahead[:count]
        there = len(data)
        data.extend(bytes(count - there))
        view = memoryview(data)[there:]
        while view:
            got = stdout.readinto(view)  # type: ignore[union-attr]
            if not got:
                raise EOFError
            view = view[got:]
        return data

    def line(self) -> bytes:
        """Return the next line; EOFError, for `ask`, where it does not come."""
        stdout = self._running[0].popen.stdout
        assert stdout is not None
        searched = 0
        while (end := self._ahead.find(b"\n", searched)) < 0:
            searched = len(self._ahead)
            piece = stdout.read(AHEAD)  # what is there; it does not wait for so much
            if not piece:
                raise EOFError
            self._ahead += piece
        return bytes(self.read(end + 1))


def _end(running: list[Kernel]) -> None:
    """End the process, if there is one, and what it started."""
    while running:
        kernel = running.pop()
        with kernel:
            pass
        sweep(kernel.mark)
        for stream in (kernel.popen.stdin, kernel.popen.stdout):
            if stream is not None:
                stream.close()
