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


AFTER = "from aquant_ref import threads as t; t.set_threads(); print(t._threads)"


def test_our_threads_and_those_of_blas_are_not_used_together() -> None:
    cores = str(threads.available_cores())
    assert environment(AFTER) == "1"
    assert environment(AFTER, OPENBLAS_NUM_THREADS="1") == cores
    asked = "from aquant_ref import threads as t; t.use_one_blas_thread(); import numpy; "
    assert environment(asked + AFTER) == cores
    late = "import numpy; from aquant_ref import threads as t; t.use_one_blas_thread(); "
    assert environment(late + AFTER) == "1"
