"""Write and split the stream between `gen`, a kernel and `check`. Spec: AQ-CONF-2.

    # aquant-ref stream 1 op=clip profile=core-int fields=v:i64,low:i32,high:i32 result=q:i32 ...
    0 -129 -128 127
    1 5 0 3

The answers come in any order: `0 -128`, `1 skip no such range`, `1 error REASON`. Integers are
decimal, reals C99 hexadecimal (`%a`), so that a kernel needs only `fgets`, `sscanf` and `printf`.
If a kernel copies the first line, `check` can tell whether both commands had the same arguments.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from queue import Empty, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, BinaryIO

from aquant_ref.conformance import contract
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.errors import InputError

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.family import Cases
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.contract import Field

VERSION = 1
LONGEST = 1 << 20  # of the characters of a line
BLOCK = 1 << 14  # cases generated at a time
MARK = "# aquant-ref "

FORMATS = {"i32": "%d", "i64": "%d", "f64": "%s", "str": "%s"}


def header(selection: Selection, count: int) -> str:
    """Return the first line, which names the operation, its fields and all arguments.

    Raises InputError for an operation on tensors, which no line can hold.
    """
    operation = contract.get(selection.operation)
    if not operation.scalar:
        raise InputError(f"{operation.name}: a stream has no tensors; ask by verify --exec")
    words = {
        "op": operation.name,
        "profile": selection.profile,
        "fields": _signature(operation.fields),
        "result": _signature(operation.result),
        "n": str(count),
        **selection.arguments(),
    }
    return f"{MARK}stream {VERSION} " + " ".join(f"{key}={word}" for key, word in words.items())


def _signature(fields: Iterable[Field]) -> str:
    return ",".join(f"{each.name}:{each.type}" for each in fields)


def blocks(selection: Selection, index: Sequence[int]) -> Iterator[Cases]:
    """Yield the cases at these places, a block at a time."""
    for start in range(0, len(index), BLOCK):
        yield generate(selection, index[start : start + BLOCK])


def lines(cases: Cases) -> str:
    """Return one line for each case."""
    fields = cases.operation.fields
    line = " ".join(["%s", *(FORMATS[field.type] for field in fields)]) + "\n"
    columns = [
        map(float.hex, column) if field.type == "f64" else column
        for field in fields
        for column in [cases.columns[field.name].tolist()]
    ]
    return "".join(map(line.__mod__, zip(cases.ids, *columns, strict=True)))


class Endless(Exception):
    """Say that far more comes than there is to answer."""


def split(chunks: Iterable[bytes]) -> Iterator[list[str]]:
    """Yield the lines of each piece of a stream, with their ends; the last may have none.

    Only "\\n" ends a line. Raises Endless for a line of more than LONGEST bytes.
    """
    rest = b""
    for chunk in chunks:
        whole, end, rest = (rest + chunk).rpartition(b"\n")
        if end:
            yield [f"{line}\n" for line in whole.decode("utf-8", "replace").split("\n")]
        if len(rest) > LONGEST:
            raise Endless(f"a line of more than {LONGEST} characters")
    if rest:
        yield [rest.decode("utf-8", "replace")]


MOST_SECONDS = 86_400.0  # that anything is waited for


def check_timeout(seconds: float) -> float:
    """Return `seconds`; InputError if it is no time to wait for."""
    if not 0 < seconds <= MOST_SECONDS:
        raise InputError(f"timeout: needs more than 0 seconds, a day at most, got {seconds:g}")
    return seconds


class Silence(Exception):
    """Say that no answer came in the time allowed."""


class Patience:
    """Keep the time left to wait for an answer; each answer renews it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = check_timeout(seconds)
        self.renew()

    def renew(self) -> None:
        """Start to wait for the next answer."""
        self._end = time.monotonic() + self._seconds

    def left(self) -> float:
        """Return the seconds left; raise Silence if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise Silence
        return left


def chunks(stream: BinaryIO, patience: Patience) -> Iterator[bytes]:
    """Yield what arrives on a stream, as it arrives.

    Raises Silence once `patience` runs out, and InputError if the stream cannot be read. A thread
    reads, because no other way to wait with a limit works for pipes on every system. The thread
    may outlive this function, so it has a file descriptor of its own.
    """
    arrived: Queue[bytes | OSError] = Queue(maxsize=64)
    left = Event()
    try:
        descriptor = os.dup(stream.fileno())
    except (OSError, ValueError) as error:  # closed, or no file of the system
        raise InputError(f"the answers cannot be read ({error})") from error

    def pump() -> None:
        try:
            while not left.is_set() and (piece := os.read(descriptor, 1 << 16)):
                arrived.put(piece)
            arrived.put(b"")
        except OSError as error:
            arrived.put(error)
        finally:
            os.close(descriptor)

    Thread(target=pump, daemon=True).start()
    try:
        while True:
            try:
                piece = arrived.get(timeout=patience.left())
            except Empty:
                raise Silence from None
            if isinstance(piece, OSError):
                raise InputError(f"the answers cannot be read ({piece.strerror or piece})")
            if not piece:
                return
            yield piece
    finally:
        left.set()
        with suppress(Empty):  # what waits to put something can, and then ends
            while True:
                arrived.get_nowait()
