"""Run a kernel as a process with a time limit, and end whatever it started.

Spec: AQ-CONF-2, AQ-CONF-5.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from aquant_ref.conformance.adapters.base import Adapter, words
from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.protocol.answers import MOST_REASON, NOT_ASKED, Answers, without
from aquant_ref.conformance.protocol.streams import check_timeout
from aquant_ref.errors import InputError, printable

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.family import Cases

MARK = "AQUANT_REF_KERNEL"  # in the environment of a kernel, and of what it starts
KEPT = 1 << 14  # bytes of standard error, the last ones
STDERR = 2
GRACE = 0.5  # seconds for what was killed to be gone; it may be in the middle of a system call
HUNG_BEFORE = ("missing", f"{NOT_ASKED}, as the operation hung before")
SWEEPS = 10  # a process may start another while it is looked for


class Kernel:
    """Run `command` in a session of its own; the `with` statement ends it.

    Raises InputError if it cannot be started. `popen` has its standard input and output. With
    `aloud`, what it writes on standard error is not only kept, but goes to this process's, too.
    """

    def __init__(
        self,
        command: Sequence[str],
        mark: str,
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.DEVNULL,
        aloud: bool = False,
    ) -> None:
        self.mark, self._aloud = mark, aloud
        try:
            self.popen = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
                env={**os.environ, MARK: mark},
            )
        except (OSError, ValueError) as error:
            raise InputError(f"{' '.join(command)}: cannot be started ({error})") from error
        self.stderr = bytearray()
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.popen.stderr is not None
        with self.popen.stderr as stream:
            while piece := stream.read(1 << 16):
                if self._aloud:
                    with suppress(OSError):  # nobody may read it
                        os.write(STDERR, piece)
                self.stderr += piece
                del self.stderr[:-KEPT]

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        """End the kernel and what it started. Nothing here waits without a limit."""
        self.kill()
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(GRACE)
        self._listener.join(GRACE / 5)
        if self._listener.is_alive():  # something has left the session and holds the pipe
            sweep(self.mark)
            self._listener.join(GRACE)

    def kill(self) -> None:
        """End its session."""
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.kill()

    def ended(self, code: int, when: str = "") -> str:
        """Describe how and when the kernel ended, with the last line it wrote."""
        how = _signal(-code) if code < 0 else f"exit code {code}"
        return ": ".join(filter(None, [f"{how} {when}".strip(), self.last_words]))

    @property
    def last_words(self) -> str:
        """Return the last line of its standard error."""
        text = self.stderr.decode("utf-8", "replace").rstrip()
        return printable(text.rpartition("\n")[2].strip(), MOST_REASON)


def _signal(number: int) -> str:
    try:
        return f"signal {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"


def sweep(mark: str) -> None:
    """End all processes that kernels with this mark left behind, in any session.

    It works on Linux, which shows the environment of a process.
    """
    needle = f"{MARK}={mark}".encode()
    for _ in range(SWEEPS):
        ended = 0
        for environment in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):  # it is somebody else's, or has ended
                if needle in environment.read_bytes().split(b"\0"):
                    os.kill(int(environment.parent.name), signal.SIGKILL)
                    ended += 1
        if not ended:
            return
        time.sleep(0.01)


class ProcessAdapter(Adapter):
    """Start a command for cases; `option` names it in messages.

    After `timeout` seconds it counts as hanging, and its operation is not asked further. `problems`
    collects what breaks the protocol. Raises InputError for an invalid command or timeout.
    """

    def __init__(
        self, option: str, command: str, timeout: float, capabilities: Capabilities | None
    ) -> None:
        self.name = command
        self.command = words(option, command)
        self.timeout = check_timeout(timeout)
        self.mark = secrets.token_hex(8)
        self._capabilities = capabilities or Capabilities()
        self._hung: set[str] = set()

    def capabilities(self) -> Capabilities:
        """Return those that were given."""
        return self._capabilities

    def supports(self, _operation: str) -> bool:
        """Assume so: a kernel answers for itself, case by case."""
        return True

    def start(self) -> None:
        """Forget which operations hung before."""
        self._hung.clear()

    def hangs(self, cases: Cases, what: str) -> None:
        """Report a hanging kernel; its operation is not asked further."""
        name = cases.operation.name
        self._hung.add(name)
        self.problems.add("hang", f"{what}; {name} is not asked further")

    def not_asked(self, cases: Cases) -> Answers | None:
        """Return the answers to an operation that hung before; None if it did not."""
        if cases.operation.name not in self._hung:
            return None
        return without(cases, *HUNG_BEFORE)
