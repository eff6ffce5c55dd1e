"""A library in a process of its own, which may crash or hang. Spec: AQ-CONF-6."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from aquant_ref.conformance.adapters.conversation import Conversation, Ended
from aquant_ref.conformance.adapters.library import abi
from aquant_ref.conformance.adapters.library.binary import why_not
from aquant_ref.conformance.adapters.library.host import HEAD
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
ALIKE = rb"(?<=\0)aquant_[A-Za-z0-9_]{1,60}(?=\0)"
MOST_BYTES = 1 << 30  # of a library


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
        self.path = Path(path)
        self.sha256, content = self._digest()
        if why := why_not(content[:4096]):
            raise InputError(f"library: {self.path} {why}")
        command = [sys.executable, "-I", "-S", str(HOST), os.path.abspath(self.path)]
        self._talk = Conversation(command, timeout)
        self.symbols: frozenset[str] = frozenset()
        # its table of symbols has them, and its strings may
        self.alike = {word.decode() for word in re.findall(ALIKE, content)}

    def _digest(self) -> tuple[str, bytes]:
        try:
            content = read_file(self.path, most=MOST_BYTES)
        except InputError as error:
            raise InputError(f"library: {error}") from error
        return hashlib.sha256(content).hexdigest(), content

    def check_unchanged(self) -> None:
        """Raise InputError if the file is no longer what it was."""
        if self._digest()[0] != self.sha256:
            raise InputError(f"library: {self.path} was changed meanwhile")

    def open(self) -> None:
        """Start its process.

        Raises InputError where the library cannot be loaded, does not follow this ABI, or has no
        function of it.
        """
        self._talk.open()
        names = [abi.symbol(each) for each in OPERATIONS.values() if abi.expressible(each)]
        wanted = {"version": abi.VERSION_FUNCTION, "symbols": names}
        try:
            said = parse_json(
                self._talk.ask([json.dumps(wanted).encode() + b"\n"], self._talk.line), "its answer"
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
        if why:
            self.close()
            raise InputError(f"library: {self.path} {why}")

    def close(self) -> None:
        """End the process, and what it started."""
        self._talk.close()

    def call(self, call: Call) -> list[Array]:
        """Return the results; raises Ended or Unanswered."""
        if not self._talk.runs:
            self.open()
        return self._talk.ask(self._request(call, each=False), lambda: self._answer(call, call.n))

    def one_by_one(self, call: Call) -> tuple[list[list[Array] | Unanswered], Ended | None]:
        """Call with each case alone, up to the first that ends the process: what was answered."""
        if not self._talk.runs:
            self.open()
        answers: list[list[Array] | Unanswered] = []
        assert call.n is not None
        request = self._request(call, each=True)
        for _ in range(call.n):
            try:
                answers.append(self._talk.ask(request, lambda: self._answer(call, 1)))
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
        status, behind = HEAD.unpack(self._talk.read(HEAD.size))
        if status or behind:
            raise Unanswered(status, wrote_behind=bool(behind))
        found = []
        for kind, axes in call.results:
            shape = tuple(np.frombuffer(self._talk.read(8 * axes), np.int64)) if axes else (n or 1,)
            count = int(np.prod(shape, dtype=np.int64))
            data = self._talk.read(count * DTYPES[kind].itemsize)
            found.append(np.frombuffer(data, DTYPES[kind]).reshape(shape))
        return found
