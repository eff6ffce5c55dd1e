"""Speed and memory beside what people would use instead: `python -m tests.bench`."""

from __future__ import annotations

import os
import sys

from aquant_ref.threads import BLAS_THREAD_VARIABLES


def run() -> int:
    """The command, once BLAS has one thread, whatever its user asked for, as the rows say.

    That counts only before numpy is there.
    """
    os.environ.update(dict.fromkeys(BLAS_THREAD_VARIABLES, "1"))
    from tests.bench.command import main

    return main()


sys.exit(run())
