"""Standard output and standard error as they are found: closed, full, in ASCII, or read by nobody.

No other module prints.
"""

from __future__ import annotations

import ctypes
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TextIO

from aquant_ref.errors import InputError, printable

_results: list[TextIO] = []  # where `show` writes while standard output is left to it


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
    """Write a result to standard output; raise InputError if that fails, or ReaderGone.

    A result quotes files, so only the printable part of each line is written.
    """
    _write("".join(f"{printable(line)}\n" for line in text.split("\n")))


def end_output() -> None:
    """Write what anything else has left in the buffer of standard output; raises as `show`."""
    _write("")


def _write(text: str) -> None:
    stream = _results[-1] if _results else sys.stdout
    try:
        print(text, end="", flush=True, file=stream)
    except (OSError, ValueError) as error:  # ValueError: somebody has closed it
        _write_no_more(stream)
        if isinstance(error, BrokenPipeError):
            raise ReaderGone from error
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"standard output: cannot be written ({reason})") from error


def say(text: str) -> None:
    """Write a line to standard error; do nothing if that fails, since nobody can be told."""
    try:
        print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _write_no_more(sys.stderr)


@contextmanager
def results_alone() -> Iterator[None]:
    """Leave standard output to `show`: what a network's file prints goes to standard error."""
    _results.append(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _results.pop()


@contextmanager
def output_aside() -> Iterator[None]:
    """Send what others print in the block to standard error, also from C and from child processes.

    It is not part of the result.
    """
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        with suppress(Exception):
            if sys.__stdout__ is not None:
                sys.__stdout__.flush()
            ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, with all that it has started."""
    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    ours = [n for n in numbers if n is not None and signal.getsignal(n) == signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():  # which alone may set them
        ours = []
    try:
        for number in ours:
            signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _write_no_more(stream: TextIO) -> None:
    """Discard the rest of the buffer, which would fail again when the interpreter ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
