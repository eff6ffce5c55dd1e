"""A program in a process of its own: how long it takes, and how much memory at most."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aquant_ref.errors import InputError
from aquant_ref.threads import BLAS_THREAD_VARIABLES

CLONE = Path(__file__).resolve().parent.parent.parent
UNIT = 1 if sys.platform == "darwin" else 1024  # of `ru_maxrss`, in bytes


@dataclass(frozen=True)
class Used:
    """Seconds from start to end, the peak of resident bytes, and what was printed."""

    seconds: float
    peak: int
    output: str


def python(arguments: Sequence[str]) -> Used:
    """Run Python on this clone with `arguments` and one BLAS thread.

    The peak is what the kernel counted, of this process alone. Raises RuntimeError, with the end of
    what it wrote to standard error, unless it ends well, and InputError where nothing is counted.
    """
    if not hasattr(os, "wait4"):
        raise InputError("this system does not count the memory of a process; choose with --only")
    one = dict.fromkeys(BLAS_THREAD_VARIABLES, "1")
    environment = {**os.environ, **one, "PYTHONPATH": str(CLONE)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=environment,
            stdout=out,
            stderr=errors,
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()[-500:]
            ended = f"ended with {process.returncode}: {said}"
            raise RuntimeError(f"python {' '.join(arguments)}: {ended}")
        out.seek(0)
        return Used(seconds, usage.ru_maxrss * UNIT, out.read().decode())
