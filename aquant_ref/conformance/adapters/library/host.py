"""The process that loads a library under test and calls it: `python -I -S host.py LIBRARY`.

Run as a program, with the standard library alone, so that it starts quickly after each crash. The
kit asks on standard input: the names to look for, and then calls. A call is a line of JSON, and the
bytes of its arrays. The answers go to what was standard output; what the library itself prints goes
to standard error.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
from typing import Any, BinaryIO

TYPES: dict[str, Any] = {"i32": ctypes.c_int32, "i64": ctypes.c_int64, "f64": ctypes.c_double}
GUARD = 512  # bytes behind each result, which have to stay as they are
UNTOUCHED = 0xA5
HEAD = struct.Struct("<iB")  # what the function returned, and whether it wrote behind a result


class Result:
    """Room for a result, with the guard behind it; of a tensor also for its shape."""

    def __init__(self, kind: str, count: int, axes: int) -> None:
        self.kind, self.count, self.axes = kind, count, axes
        self.size = count * ctypes.sizeof(TYPES[kind])
        self.data = bytearray([UNTOUCHED]) * (self.size + GUARD)
        self.shape = (ctypes.c_int64 * axes)()

    def wrote_behind(self) -> bool:
        return self.data.count(UNTOUCHED, self.size) < GUARD

    def filled(self) -> memoryview | None:
        """Return the bytes of the elements that there are; None for a shape that has no room."""
        count = self.count
        if self.axes:
            count = 1
            for axis in self.shape:
                if axis < 0 or count * axis > self.count:
                    return None
                count *= axis
        return memoryview(self.data)[: count * ctypes.sizeof(TYPES[self.kind])]


def serve(library: ctypes.CDLL, stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Answer calls until there are no more."""
    fills: dict[tuple[str, Any, int], bytearray] = {}
    while line := stdin.readline():
        call = json.loads(line)
        n = call["n"]
        pointers: list[Any] = [] if n is None else [None]
        steps: list[tuple[int, int]] = []  # position and bytes a case of each column
        results: list[Result] = []
        kept: list[bytearray] = []  # that nothing else refers to
        for kind, *rest in call["arguments"]:
            if kind == "text":
                pointers.append(rest[0].encode())
            elif kind == "value":
                pointers.append(TYPES[rest[0]](rest[1]))
            elif kind == "shape":
                pointers.append((ctypes.c_int64 * len(rest[0]))(*rest[0]))
            elif kind == "result":
                results.append(Result(*rest))
                steps.append((len(pointers), ctypes.sizeof(TYPES[rest[0]])))
                pointers.append(ctypes.addressof(ctypes.c_char.from_buffer(results[-1].data)))
                pointers += [results[-1].shape] if results[-1].axes else []
            else:
                data = _column(kind, rest, stdin, fills)
                kept.append(data)
                steps.append((len(pointers), ctypes.sizeof(TYPES[rest[0]])))
                pointers.append(ctypes.addressof(ctypes.c_char.from_buffer(data)))
        pointers = [ctypes.c_void_p(p) if isinstance(p, int) else p for p in pointers]
        function = getattr(library, call["symbol"])
        function.restype = ctypes.c_int32
        if call["each"]:
            _one_by_one(function, n, pointers, steps, results, stdout)
            continue
        if n is not None:
            pointers[0] = ctypes.c_int64(n)
        status = function(*pointers)
        _tell(stdout, status, results, [result.filled() for result in results])


def _column(
    kind: str, rest: list[Any], stdin: BinaryIO, fills: dict[tuple[str, Any, int], bytearray]
) -> bytearray:
    """Return an array that was sent, or one that has the same value everywhere."""
    if kind == "array":
        data = bytearray(max(1, rest[1] * ctypes.sizeof(TYPES[rest[0]])))
        view = memoryview(data)[: rest[1] * ctypes.sizeof(TYPES[rest[0]])]
        while view:
            view = view[stdin.readinto(view) or sys.exit("input ends too soon") :]  # type: ignore[attr-defined]
        return data
    key = rest[0], rest[1], rest[2]
    if key not in fills:
        if len(fills) > 64:
            fills.clear()
        fills[key] = bytearray(bytes(TYPES[rest[0]](rest[1]))) * rest[2]
    return fills[key]


def _one_by_one(
    function: Any,
    n: int,
    pointers: list[Any],
    steps: list[tuple[int, int]],
    results: list[Result],
    stdout: BinaryIO,
) -> None:
    """Call with one case at a time, and answer each at once: the first without answer ended it."""
    pointers[0] = ctypes.c_int64(1)
    first = {place: pointers[place].value for place, _ in steps}
    for k in range(n):
        for place, size in steps:
            pointers[place] = ctypes.c_void_p(first[place] + k * size)
        status = function(*pointers)
        sizes = [ctypes.sizeof(TYPES[result.kind]) for result in results]
        cells = zip(results, sizes, strict=True)
        _tell(
            stdout,
            status,
            results,
            [memoryview(result.data)[k * size : (k + 1) * size] for result, size in cells],
        )


def _tell(
    stdout: BinaryIO, status: int, results: list[Result], filled: list[memoryview | None]
) -> None:
    behind = any(result.wrote_behind() for result in results) or None in filled
    stdout.write(HEAD.pack(status, behind))
    if not status and not behind:
        for result, data in zip(results, filled, strict=True):
            stdout.write(bytes(result.shape) if result.axes else b"")
            stdout.write(data or b"")
    stdout.flush()


def _load(path: str, wanted: dict[str, Any]) -> tuple[ctypes.CDLL | None, dict[str, Any]]:
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        return None, {"error": str(error)}
    version = getattr(library, wanted["version"], None)
    if version is None:
        return library, {"version": None, "symbols": []}
    version.restype = ctypes.c_int32
    found = [name for name in wanted["symbols"] if hasattr(library, name)]
    return library, {"version": version(), "symbols": found}


def main() -> None:
    """Load the library, say what it has, then answer calls."""
    stdin, stdout = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # a library that prints does not answer
    library, said = _load(sys.argv[1], json.loads(stdin.readline()))
    stdout.write(json.dumps(said).encode() + b"\n")
    stdout.flush()
    if library is not None:
        serve(library, stdin, stdout)


if __name__ == "__main__":
    main()
