"""A library in a process of its own, which may crash or hang. Spec: AQ-CONF-6."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Timer
from typing import Any
from weakref import finalize

import numpy as np

from aquant_ref.conformance.adapters.library import abi
from aquant_ref.conformance.adapters.library.binary import why_not
from aquant_ref.conformance.adapters.library.host import HEAD
from aquant_ref.conformance.adapters.process import Kernel
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.errors import InputError, printable
from aquant_ref.formats.text import parse_json
from aquant_ref.formats.untrusted import read_file
from aquant_ref.typing import Array

HOST = Path(__file__).with_name("host.py")
DTYPES: dict[str, np.dtype[Any]] = {
    "i32": np.dtype("i4"),
    "i64": np.dtype("i8"),
    "f64": np.dtype("f8"),
}
INT32 = np.iinfo(np.int32)
MOST_BYTES = 1 << 30  # of a library


class Ended(Exception):
    """The process ended during a call. `hangs`: it was ended, since it gave no answer in time."""

    def __init__(self, reason: str, *, hangs: bool) -> None:
        super().__init__(reason)
        self.reason, self.hangs = reason, hangs

    @property
    def kind(self) -> str:
        """As `Problems` counts it."""
        return "hang" if self.hangs else "crash"


class Unanswered(Exception):
    """The function returned another status than 0, or wrote where it must not."""

    def __init__(self, status: int, *, wrote_behind: bool = False) -> None:
        super().__init__(status)
        self.status, self.wrote_behind = status, wrote_behind

    @property
    def answer(self) -> tuple[str, str]:
        """As `Answers.other` has it."""
        if self.wrote_behind:
            return "invalid", "wrote behind the end of its result"
        if self.status == abi.REFUSES:
            return "error", "refused"
        if self.status == abi.UNSUPPORTED:
            return "skip", "unsupported"
        return "invalid", f"returned status {self.status}, which means nothing"


class Call:
    """The arguments of a call, in order. Arrays have as many elements as there are cases."""

    def __init__(self, symbol: str, n: int | None) -> None:
        self.symbol, self.n = symbol, n
        self.arguments: list[list[Any]] = []
        self.arrays: list[Array] = []
        self.results: list[tuple[str, int]] = []  # type, and the number of axes

    def add(self, kind: str, *rest: Any) -> None:
        """Add a text, a value or a shape, or a `fill`: type, value, count."""
        self.arguments.append([kind, *rest])

    def array(self, kind: str, values: Array) -> None:
        """Add an array of this type."""
        self.arrays.append(np.ascontiguousarray(values, DTYPES[kind]))
        self.add("array", kind, self.arrays[-1].size)

    def result(self, kind: str, axes: int = 0) -> None:
        """Add a result: one element a case, or a tensor with so many axes."""
        self.results.append((kind, axes))
        count = abi.ROOM if axes else 1 if self.n is None else self.n
        self.add("result", kind, count, axes)


class Library:
    """A shared library. `open` starts its process, `call` restarts it after a crash.

    `timeout` is the number of seconds that a call may take. Raises InputError, which names the
    file, for one that is missing, that is no library, or that is for another machine.
    """

    def __init__(self, path: str | Path, timeout: float) -> None:
        self.path, self.timeout = Path(path), timeout
        self.sha256, head = self._digest()
        if why := why_not(head):
            raise InputError(f"library: {self.path} {why}")
        self._mark = secrets.token_hex(8)
        self._running: list[Kernel] = []
        finalize(self, _end, self._running)
        self.symbols: frozenset[str] = frozenset()

    def _digest(self) -> tuple[str, bytes]:
        try:
            content = read_file(self.path, most=MOST_BYTES)
        except InputError as error:
            raise InputError(f"library: {error}") from error
        return hashlib.sha256(content).hexdigest(), content[:4096]

    def check_unchanged(self) -> None:
        """Raise InputError if the file is no longer what it was."""
        if self._digest()[0] != self.sha256:
            raise InputError(f"library: {self.path} was changed meanwhile")

    def open(self) -> None:
        """Start its process.

        Raises InputError where the library cannot be loaded, does not follow this ABI, or has no
        function of it.
        """
        self.close()
        command = [sys.executable, "-I", "-S", str(HOST), os.path.abspath(self.path)]
        pipe = subprocess.PIPE
        self._running.append(Kernel(command, self._mark, stdin=pipe, stdout=pipe))
        names = [abi.symbol(each) for each in OPERATIONS.values() if abi.expressible(each)]
        wanted = {"version": abi.VERSION_FUNCTION, "symbols": names}
        try:
            said = parse_json(
                self._asked([json.dumps(wanted).encode() + b"\n"], self._line), "its answer"
            )
        except Ended as error:
            raise InputError(f"library: {self.path}: cannot be loaded ({error.reason})") from error
        if "error" in said:
            self.close()
            reason = printable(said["error"].replace(f"{os.path.abspath(self.path)}: ", ""), 200)
            raise InputError(f"library: {self.path}: cannot be loaded ({reason})")
        self._check(said)
        self.symbols = frozenset(said["symbols"])

    def _check(self, said: dict[str, Any]) -> None:
        why = ""
        if said["version"] is None:
            why = f"has no function {abi.VERSION_FUNCTION}; see aquant_ref/conformance/LIBRARY.md"
        elif said["version"] != abi.VERSION:
            why = f"follows version {said['version']} of the ABI; this is version {abi.VERSION}"
        elif not said["symbols"]:
            why = "has no function of the ABI, such as aquant_requantize"
        if why:
            self.close()
            raise InputError(f"library: {self.path} {why}")

    def close(self) -> None:
        """End the process, and what it started."""
        _end(self._running)

    def call(self, call: Call) -> list[Array]:
        """Return the results; raises Ended or Unanswered."""
        if not self._running:
            self.open()
        return self._asked(self._request(call, each=False), lambda: self._answer(call, call.n))

    def one_by_one(self, call: Call) -> tuple[list[list[Array] | Unanswered], Ended | None]:
        """Call with each case alone, up to the first that ends the process: what was answered."""
        if not self._running:
            self.open()
        answers: list[list[Array] | Unanswered] = []
        assert call.n is not None
        request = self._request(call, each=True)
        for _ in range(call.n):
            try:
                answers.append(self._asked(request, lambda: self._answer(call, 1)))
            except Unanswered as error:
                answers.append(error)
            except Ended as error:
                return answers, error
            request = []
        return answers, None

    @staticmethod
    def _request(call: Call, *, each: bool) -> list[Any]:
        head = {"symbol": call.symbol, "n": call.n, "each": each, "arguments": call.arguments}
        data = [array.reshape(-1).view(np.uint8).data for array in call.arrays if array.size]
        return [json.dumps(head).encode() + b"\n", *data]

    def _answer(self, call: Call, n: int | None) -> list[Array]:
        status, behind = HEAD.unpack(self._bytes(HEAD.size))
        if status or behind:
            raise Unanswered(status, wrote_behind=bool(behind))
        found = []
        for kind, axes in call.results:
            shape = tuple(np.frombuffer(self._bytes(8 * axes), np.int64)) if axes else (n or 1,)
            count = int(np.prod(shape, dtype=np.int64))
            data = self._bytes(count * DTYPES[kind].itemsize)
            found.append(np.frombuffer(data, DTYPES[kind]).reshape(shape))
        return found

    # The pipe

    def _asked(self, request: Sequence[Any], answer: Any) -> Any:
        """Send the parts of a request, and what `answer` reads; raises Ended."""
        (kernel,) = self._running
        late: list[bool] = []

        def end() -> None:
            late.append(True)
            kernel.popen.kill()

        timer = Timer(self.timeout, end)
        timer.start()
        try:
            for part in request:
                self._send(part)
            return answer()
        except (OSError, EOFError) as error:
            raise self._ended(kernel, bool(late)) from error
        finally:
            timer.cancel()

    def _ended(self, kernel: Kernel, late: bool) -> Ended:
        if late:
            self.close()
            return Ended(f"no answer after {self.timeout:g} s", hangs=True)
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

    def _bytes(self, count: int) -> bytearray:
        stdout = self._running[0].popen.stdout
        data = bytearray(count)
        view = memoryview(data)
        while view:
            got = stdout.readinto(view)  # type: ignore[union-attr]
            if not got:
                raise EOFError
            view = view[got:]
        return data

    def _line(self) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            line += self._bytes(1)
        return bytes(line)


def _end(running: list[Kernel]) -> None:
    """End the process, if there is one, and what it started."""
    while running:
        kernel = running.pop()
        with kernel:
            pass
        for stream in (kernel.popen.stdin, kernel.popen.stdout):
            if stream is not None:
                stream.close()
