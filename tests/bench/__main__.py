"""Speed and memory beside what people would use instead: `python -m tests.bench`."""

from __future__ import annotations

import sys

from aquant_ref.threads import use_one_blas_thread


def run() -> int:
    """The command, once BLAS was asked for one thread, which counts only before numpy is there."""
    use_one_blas_thread()
    from tests.bench.command import main

    return main()


sys.exit(run())
