"""Standard output and standard error as they are found: closed, full, in ASCII, or read by nobody.

With `cli.py` the only place that prints.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TextIO

from aquant_ref.errors import InputError, printable


class ReaderGone(Exception):
    """Whoever read standard output, such as `head`, has gone."""


def open_streams() -> None:
    """Open the standard streams that are closed, on the null device, and let all of them take any
    text.

    A file that is opened while they are closed would else get their number, and with it whatever is
    printed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number is free
        if getattr(sys, name) is None:
            opened = open(number, "r" if number == 0 else "w", closefd=False)  # noqa: SIM115
            setattr(sys, name, opened)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show(text: str) -> None:
    """A result on standard output; raises InputError where it cannot be written, or ReaderGone.

    What a file says of itself is in it, so that of each line only what is printable is written.
    """
    _write("".join(f"{printable(line)}\n" for line in text.split("\n")))


def end_output() -> None:
    """Write what anything else has left in the buffer of standard output; raises as `show`."""
    _write("")


def _write(text: str) -> None:
    try:
        print(text, end="", flush=True)
    except OSError as error:
        _write_no_more(sys.stdout)
        if isinstance(error, BrokenPipeError):
            raise ReaderGone from error
        raise InputError(
            f"standard output: cannot be written ({error.strerror or error})"
        ) from error


def say(text: str) -> None:
    """A line on standard error; nothing where that cannot be written, since nobody can be told."""
    try:
        print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)
    except OSError:
        _write_no_more(sys.stderr)


def _write_no_more(stream: TextIO) -> None:
    """What is left in the buffer would fail again when the interpreter ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
