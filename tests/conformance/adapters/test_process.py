"""A kernel is a process that is ended with whatever it started."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aquant_ref.conformance.adapters.process import Kernel, ProcessAdapter
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.errors import InputError

PYTHON = [sys.executable, "-I", "-S", "-c"]


def test_the_last_line_of_standard_error_says_how_it_ended() -> None:
    program = "import sys; sys.stderr.write('first\\nout of\\x1b memory\\n'); sys.exit(7)"
    with Kernel([*PYTHON, program], "mark") as kernel:
        code = kernel.popen.wait(30)
    assert kernel.ended(code).startswith("exit code 7: out of")
    assert "\x1b" not in kernel.last_words
    assert kernel.ended(-9, "early").startswith("signal SIGKILL early: ")


def test_a_kernel_that_does_not_end_is_ended() -> None:
    with Kernel([*PYTHON, "input()"], "mark", stdin=subprocess.PIPE) as kernel:
        assert kernel.popen.poll() is None
    assert kernel.popen.poll() is not None
    assert kernel.popen.stdin is not None
    kernel.popen.stdin.close()


def test_a_kernel_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="/no/such/kernel: cannot be started"):
        Kernel(["/no/such/kernel"], "mark")


@pytest.fixture
def adapter() -> ProcessAdapter:
    return ProcessAdapter("pipe", "./kernel --fast", 5, None)


def test_an_operation_that_hung_is_not_asked_again_until_the_next_start(
    adapter: ProcessAdapter,
) -> None:
    cases = generate(Selection("clip"), range(2))
    assert adapter.not_asked(cases) is None
    adapter.hangs(cases, "no answer for 5 s")
    answers = adapter.not_asked(cases)
    assert answers is not None
    assert {what for what, _ in answers.other.values()} == {"missing"}
    assert adapter.not_asked(generate(Selection("round"), range(2))) is None
    assert adapter.problems.first == ["hang: no answer for 5 s; clip is not asked further"]
    adapter.start()
    assert adapter.not_asked(cases) is None


def test_a_command_is_words_and_its_time_is_limited(adapter: ProcessAdapter) -> None:
    assert adapter.command == ["./kernel", "--fast"]
    assert adapter.supports("anything")
    with pytest.raises(InputError, match="timeout: needs more than 0"):
        ProcessAdapter("pipe", "./kernel", 0, None)
