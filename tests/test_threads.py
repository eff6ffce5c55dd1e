from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from aquant_ref import threads


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    threads.set_threads(None)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_blocks_cover_the_length_in_order_whatever_the_threads(count: int) -> None:
    threads.set_threads(count)
    parts = threads.map_blocks(lambda part: list(range(10))[part], 10, 4)
    assert parts == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert threads.map_blocks(lambda part: part, 0, 4) == []


def test_an_error_in_a_block_is_raised() -> None:
    threads.set_threads(2)
    with pytest.raises(ZeroDivisionError):
        threads.map_blocks(lambda part: 1 // part.start, 10, 4)


@pytest.mark.parametrize("count", [0, -1])
def test_fewer_than_one_thread_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="count: needs 1 to 1024"):
        threads.set_threads(count)


def environment(code: str, **variables: str) -> str:
    kept = {k: v for k, v in os.environ.items() if k not in threads.BLAS_THREAD_VARIABLES}
    command = [sys.executable, "-c", code]
    result = subprocess.run(
        command, env={**kept, **variables}, capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


THREADS = """
from aquant_ref import threads
import numpy, ctypes
threads.map_blocks(lambda part: part, 2, 1)
libraries = list(threads._libraries())
setters = [(library, name) for name in threads.BLAS_SETTERS for library in libraries]
found = [getattr(x, name.replace("_set_", "_get_")) for x, name in setters if hasattr(x, name)]
print(threads._threads, found[0]() if found else "?")
"""
CORES = str(threads.available_cores())


@pytest.mark.parametrize("first", ["", "import numpy", "import aquant_ref; aquant_ref.Network"])
def test_blas_has_one_thread_and_ours_have_the_cores_whoever_imports_numpy_first(
    first: str,
) -> None:
    ours, blas = environment(f"{first}\n{THREADS}").split()
    assert ours == CORES
    assert blas in "1?"


def test_the_environment_has_the_last_word() -> None:
    assert environment(THREADS, OPENBLAS_NUM_THREADS="1").split() == [CORES, "1"]
    ours, blas = environment(THREADS, OPENBLAS_NUM_THREADS="2").split()
    assert ours == "1"
    assert blas == str(min(2, threads.available_cores())) or blas == "?"


def test_a_blas_that_cannot_be_told_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in threads.BLAS_THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "BLAS_SETTERS", ("no_such_function",))
    monkeypatch.setattr(threads, "available_cores", lambda: 2)
    with pytest.warns(RuntimeWarning, match="OPENBLAS_NUM_THREADS=1 before numpy is imported"):
        threads.set_threads()
    assert threads.map_blocks(lambda part: part.start, 4, 2) == [0, 2]  # and no warning
    assert threads._threads == 1


def test_half_a_thread_is_refused() -> None:
    with pytest.raises(ValueError, match="threads"):
        threads.set_threads(0)
