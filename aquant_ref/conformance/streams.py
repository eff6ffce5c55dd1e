"""The stream between `gen`, a kernel and `check`. Spec: AQ-CONF-2.

    # aquant-ref stream 1 op=clip profile=core-int fields=v:i64,low:i32,high:i32 result=q:i32 ...
    0 -129 -128 127
    1 5 0 3

and the answers, in any order: `0 -128`, `1 skip no such range`, `1 error REASON`. Integers are
decimal, reals C99 hexadecimal (`%a`), so that a kernel needs `fgets`, `sscanf` and `printf` alone.
A kernel that copies the first line lets `check` see that both commands had the same arguments.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from typing import BinaryIO

from aquant_ref.conformance import contract
from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.conformance.contract import Field
from aquant_ref.conformance.selection import Selection
from aquant_ref.errors import InputError

VERSION = 1
LONGEST = 1 << 20  # of the characters of a line
BLOCK = 1 << 14  # cases generated at a time
MARK = "# aquant-ref "

FORMATS = {"i32": "%d", "i64": "%d", "f64": "%s", "str": "%s"}


def header(selection: Selection, count: int) -> str:
    """The first line: it names the operation, its fields and all arguments.

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
    """The cases at these places, a block at a time."""
    for start in range(0, len(index), BLOCK):
        yield generate(selection, index[start : start + BLOCK])


def lines(cases: Cases) -> str:
    """One line a case."""
    fields = cases.operation.fields
    line = " ".join(["%s", *(FORMATS[field.type] for field in fields)]) + "\n"
    columns = [
        map(float.hex, column) if field.type == "f64" else column
        for field in fields
        for column in [cases.columns[field.name].tolist()]
    ]
    return "".join(map(line.__mod__, zip(cases.ids, *columns, strict=True)))


class Endless(Exception):
    """Far more comes than there is to answer, and there is no end of it."""


def split(chunks: Iterable[bytes]) -> Iterator[list[str]]:
    """The lines in each piece of a stream, with their ends; a last line may have none.

    Raises Endless for a line of more than LONGEST characters.
    """
    rest = ""
    for chunk in chunks:
        whole = (rest + chunk.decode("utf-8", "replace")).splitlines(keepends=True)
        rest = whole.pop() if whole and not whole[-1].endswith("\n") else ""
        yield whole
        if len(rest) > LONGEST:
            raise Endless(f"a line of more than {LONGEST} characters")
    if rest:
        yield [rest]


class Silence(Exception):
    """Nothing came for the time that was allowed."""


def chunks(stream: BinaryIO, timeout: float) -> Iterator[bytes]:
    """What arrives on a stream, as it arrives; raises Silence after `timeout` seconds of nothing.

    A thread reads, as no other way of waiting with a limit works on every system's pipes.
    """
    arrived: Queue[bytes] = Queue(maxsize=64)

    def pump() -> None:
        with suppress(ValueError):  # closed, as the kernel was stopped
            while piece := os.read(stream.fileno(), 1 << 16):
                arrived.put(piece)
        arrived.put(b"")

    Thread(target=pump, daemon=True).start()
    while True:
        try:
            piece = arrived.get(timeout=timeout)
        except Empty as error:
            raise Silence from error
        if not piece:
            return
        yield piece
