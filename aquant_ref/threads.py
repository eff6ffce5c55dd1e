"""Spread the images of a batch over threads, in blocks that stay in cache.

numpy releases the interpreter lock inside its loops, so two Python threads with one BLAS thread
each beat one thread whose BLAS uses two: the copies around a matrix product run in parallel as
well. Threads of both kinds at once would crowd the cores and be many times slower than either, so
there is more than one of ours only where BLAS was asked for one.

Work is cut into the same blocks whatever the number of threads, and results are combined in block
order, so the number of threads never changes a byte.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import index
from typing import Any, TypeVar

from aquant_ref.errors import InputError, printable

T = TypeVar("T")

MOST = 1024
BLAS_THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

_pool: ThreadPoolExecutor | None = None
_threads = 0


def use_one_blas_thread() -> None:
    """Ask BLAS for one thread. This counts only before numpy is first imported; later it does
    nothing.
    """
    if "numpy" not in sys.modules:
        for name in BLAS_THREAD_VARIABLES:
            os.environ.setdefault(name, "1")


def available_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_threads(count: int | None = None) -> None:
    """Use `count` threads from now on; raises InputError unless it is 1 to 1024.

    None is one per available core if BLAS has one thread, else one.
    """
    global _pool, _threads
    if count is None:
        alone = any(os.environ.get(name) == "1" for name in BLAS_THREAD_VARIABLES)
        count = available_cores() if alone else 1
    count = _checked(count)
    if _pool is not None:
        _pool.shutdown()
    _threads = count
    _pool = ThreadPoolExecutor(count, thread_name_prefix="aquant") if count > 1 else None


def _checked(count: Any) -> int:
    try:
        threads = 0 if isinstance(count, bool) else index(count)
    except TypeError:
        threads = 0
    if not 1 <= threads <= MOST:
        raise InputError(f"count: needs 1 to {MOST} threads, got {printable(repr(count), 60)}")
    return threads


def map_blocks(function: Callable[[slice], T], length: int, block: int) -> list[T]:
    """`[function(slice(0, block)), function(slice(block, 2*block)), ...]` over `length` items, in
    parallel.
    """
    if _threads == 0:
        set_threads()
    slices = [slice(start, min(start + block, length)) for start in range(0, length, block)]
    if _pool is None or len(slices) == 1:
        return [function(part) for part in slices]
    return list(_pool.map(function, slices))
