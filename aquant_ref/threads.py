"""Spread the images of a batch over threads, in blocks that stay in cache.

numpy releases the interpreter lock inside its loops, so two Python threads with one BLAS thread
each beat one thread whose BLAS uses two: the copies around a matrix product run in parallel as
well. Threads of both kinds at once would crowd the cores and be many times slower than either, so
BLAS gets one thread when ours are first used, and there is more than one of ours only then.

Work is cut into the same blocks whatever the number of threads, and results are combined in block
order, so the number of threads never changes a byte.
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from operator import index
from pathlib import Path
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
# `openblas_set_num_threads` under the names that builds give it; that of MKL; and that of
# Accelerate, where 1 means a single thread too
BLAS_SETTERS = (
    *(
        f"{prefix}openblas_set_num_threads{suffix}"
        for prefix in ("scipy_", "")
        for suffix in ("64_", "", "_64", "_64_")
    ),
    "MKL_Set_Num_Threads",
    "BLASSetThreading",
)
NUMPY_CORES = ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath")

_pool: ThreadPoolExecutor | None = None
_threads = 0


def use_one_blas_thread() -> None:
    """Ask BLAS for one thread before numpy is first imported; later this does nothing.

    `set_threads` also reaches a BLAS library that is already loaded.
    """
    if "numpy" not in sys.modules:
        for name in BLAS_THREAD_VARIABLES:
            os.environ.setdefault(name, "1")


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_threads(count: int | None = None) -> None:
    """Use `count` threads from now on; raises InputError unless it is 1 to 1024.

    None is one per available core. BLAS gets one thread for the whole process, unless a variable of
    the environment says how many; if it has several, None is one thread of ours.
    """
    global _pool, _threads
    alone = _one_blas_thread()
    if count is None:
        count = available_cores() if alone else 1
    count = _checked(count)
    if _pool is not None:
        _pool.shutdown()
    _threads = count
    _pool = ThreadPoolExecutor(count, thread_name_prefix="aquant") if count > 1 else None


def _one_blas_thread() -> bool:
    """Give BLAS one thread where the environment leaves that open; say whether it has one.

    Warns where BLAS cannot be told: the engine is then many times slower.
    """
    chosen = [os.environ[name] for name in BLAS_THREAD_VARIABLES if name in os.environ]
    if chosen:
        return "1" in chosen
    if "numpy" not in sys.modules:
        use_one_blas_thread()
        return True
    if _tell_blas():
        return True
    if available_cores() > 1:
        warnings.warn(
            "this BLAS library may use several threads, with which aquant_ref is many times "
            f"slower; set {BLAS_THREAD_VARIABLES[0]}=1 before numpy is imported",
            RuntimeWarning,
            stacklevel=2,
        )
    return False


def _tell_blas() -> bool:
    """Ask the BLAS library that numpy has loaded for one thread; say whether it has a way to."""
    for library in _libraries():
        for name in BLAS_SETTERS:
            setter = getattr(library, name, None)
            if setter is not None:
                setter.argtypes, setter.restype = (ctypes.c_int,), None
                setter(1)
                return True
    return False


def _libraries() -> Iterator[ctypes.CDLL]:
    """Open what may be the loaded BLAS: the core of numpy, which links it, and the wheel's files.

    A name is looked up in a library and in all that it links, but on Windows.
    """
    core = next(name for name in NUMPY_CORES if name in sys.modules)
    files = [str(sys.modules[core].__file__)]
    wheel = Path(str(sys.modules["numpy"].__file__)).parents[1] / "numpy.libs"
    files += map(str, sorted(wheel.glob("*openblas*")))
    for file in files:
        with suppress(OSError):
            yield ctypes.CDLL(file)


def _checked(count: Any) -> int:
    try:
        threads = 0 if isinstance(count, bool) else index(count)
    except TypeError:
        threads = 0
    if not 1 <= threads <= MOST:
        raise InputError(f"count: needs 1 to {MOST} threads, got {printable(repr(count), 60)}")
    return threads


def map_blocks(function: Callable[[slice], T], length: int, block: int) -> list[T]:
    """Return `[function(slice(0, block)), function(slice(block, 2*block)), ...]` over `length`.

    The calls run in parallel.
    """
    if _threads == 0:
        set_threads()
    slices = [slice(start, min(start + block, length)) for start in range(0, length, block)]
    if _pool is None or len(slices) == 1:
        return [function(part) for part in slices]
    return list(_pool.map(function, slices))
