"""The command `aquant-ref`: with `terminal.py` the only place that prints.

Tables go to standard output, progress and errors to standard error. Bad input is one line and exit
code 2; `--debug` shows where it came from. A defect of ours is a traceback and exit code 70, since
1 means that something differs. numpy is imported only after `use_one_blas_thread`.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from aquant_ref import __version__, outputs
from aquant_ref.cli import arguments
from aquant_ref.cli.commands import COMMANDS
from aquant_ref.cli.terminal import (
    ReaderGone,
    end_output,
    open_streams,
    results_alone,
    say,
)
from aquant_ref.errors import InputError, check_name, check_text, printable
from aquant_ref.threads import set_threads, use_one_blas_thread

if TYPE_CHECKING:
    import argparse

# the arguments that are a name, which is empty where a variable of the shell is not set
NAMES = (
    "adapter",
    "library",
    "keep",
    "profile",
    "directory",
    "out",
    "weights",
    "deviations",
    "junit",
    "html",
    "dir",
    "record",
    "program",
    "a",
    "b",
)
MOST = {"threads": 1024, "iters": 1_000_000, "epochs": 1_000_000}  # beyond is a slip
BAD_INPUT = 2
DEFECT = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # what shells report for a program that Ctrl-C ended


@cache
def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    return arguments.parser(COMMANDS)


def main(given: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. With --debug what ends it is raised."""
    use_one_blas_thread()
    debug = False
    try:
        args = parser().parse_args(given)
        debug = args.debug
        _check(args)
        if args.threads is not None:
            set_threads(args.threads)
        with results_alone():
            code: int = args.function(args)
        return code
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            raise
        return _end_with(error)


def _check(args: argparse.Namespace) -> None:
    """Before any work: raises InputError for what no command takes."""
    if args.threads is not None and args.threads < 1:
        raise InputError(f"--threads: needs at least 1, got {args.threads}")
    for name, most in MOST.items():
        if (getattr(args, name, None) or 0) > most:
            raise InputError(f"--{name}: needs {most} at most, got {getattr(args, name)}")
    for name in NAMES:
        if getattr(args, name, None) == "":
            check_name(name, "")
    for name, value in vars(args).items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str):
                check_text(name, text)
    outputs.check(args)


def _end_with(error: BaseException) -> int:
    """Say what has ended the command; returns its exit code."""
    if isinstance(error, InputError):
        say(f"aquant-ref: error: {error}")
        return BAD_INPUT
    if isinstance(error, MemoryError):
        what = printable(str(error) or "of the machine, or of its limit")
        say(f"aquant-ref: error: there is not enough memory ({what})")
        return BAD_INPUT
    if isinstance(error, ReaderGone):
        return 0
    if isinstance(error, KeyboardInterrupt):
        say("aquant-ref: interrupted; no half-written file is left")
        return INTERRUPTED
    say("".join(traceback.format_exception(error)).rstrip())
    say(
        "aquant-ref: this is a defect of aquant_ref; please report it, with the command and the "
        f"lines above (aquant_ref {__version__}, exit code {DEFECT})"
    )
    return DEFECT


def command() -> None:
    """Run `main`, and end the process with its exit code."""
    open_streams()
    try:
        code = _code_of_main()
        end_output()
    except BaseException as error:
        code = _end_with(error)
    if code == INTERRUPTED:
        # without a wait for our threads: one may be at a lock that the main thread left locked
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os._exit(code)
    sys.exit(code)


def _code_of_main() -> int:
    try:
        return main()
    except SystemExit as end:  # of --help and --version
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as error:  # with --debug, or what `main` lets pass
        if isinstance(error, InputError | KeyboardInterrupt):
            say("".join(traceback.format_exception(error)).rstrip())
        return _end_with(error)


if __name__ == "__main__":
    command()
