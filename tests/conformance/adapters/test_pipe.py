"""Kernels through the pipe: broken ones are reported as what they are, and one in C passes."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys

import pytest

from aquant_ref.conformance import OPERATIONS, Capabilities, verify
from aquant_ref.conformance.adapters import PipeAdapter
from aquant_ref.conformance.report.report import (
    EXIT_MISMATCH,
    EXIT_NOTHING,
    EXIT_PASS,
    EXIT_PROTOCOL,
    Report,
)
from aquant_ref.errors import InputError
from tests.meta.libraries import HERE

QUICK = shlex.join([sys.executable, "-S", "-E", str(HERE / "broken_kernel.py")])
CLI = [sys.executable, "-m", "aquant_ref.cli.main"]


def report_on(way: str, timeout: float = 30) -> Report:
    """`clip` has one group of 120 vectors, and a group of those to be refused, not asked."""
    return verify(
        PipeAdapter(f"{QUICK} {shlex.quote(way)}", timeout=timeout),
        operations=["clip"],
        generated=0,
    )


@pytest.mark.parametrize("way", ["right", "reordered", "no header"])
def test_a_right_kernel_passes_in_whatever_order_it_answers(way: str) -> None:
    report = report_on(way)
    assert report.exit_code == EXIT_PASS, report.text()
    assert report.total()["pass"] == 120


@pytest.mark.parametrize(
    ("way", "kinds", "words"),
    [
        ("exit", {"crash", "missing"}, "exit code 7 after 59 of 120 answers"),
        ("hang", {"hang", "missing"}, "no answer for 2 s after 59 of 120"),
        ("silent", {"missing"}, "no case is answered"),
        ("truncated", {"truncated", "missing"}, "without a line end"),
        ("duplicated", {"duplicate"}, "is answered again"),
        ("garbled", {"garbled"}, "12..5"),
        ("chatty", {"garbled"}, "Initialising..."),
        ("unknown", {"unknown id"}, "123456 0"),
        # past bug: neither silent nor at an end, it was read for ever
        ("babbling", {"garbled", "endless", "missing"}, "1121 lines that answer nothing"),
        ("one line", {"endless", "missing"}, "a line of more than 1048576 characters"),
        ("other arguments", {"other arguments"}, "seed=90"),
        ("forgets", {"missing"}, "1 of 120 cases, 59 among them"),
        pytest.param(
            "crash",
            {"crash", "missing"},
            "SIGABRT after 59 of 120 answers",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="has no signals"),
        ),
    ],
)
def test_a_kernel_that_breaks_the_protocol_is_reported_as_what_it_is(
    way: str, kinds: set[str], words: str
) -> None:
    report = report_on(way, timeout=2 if way == "hang" else 30)
    assert report.exit_code == EXIT_PROTOCOL
    assert set(report.problems.counts) == kinds
    assert words in report.text()
    found = report.total()
    assert found["total"] == 144  # with those that were not asked
    assert sum(found.values()) == 2 * 144
    assert ("missing" in kinds) == (found["missing"] > 0)


def test_what_a_kernel_skips_is_unsupported_and_not_passed() -> None:
    report = report_on("skips")
    assert report.total()["unsupported"] == 144
    assert report.exit_code == EXIT_NOTHING
    assert report.claim == "claim: none"


def test_what_a_kernel_reports_as_an_error_is_one() -> None:
    report = report_on("errors")
    assert report.total()["error"] == 120
    assert report.exit_code == EXIT_MISMATCH
    assert "no memory" in report.text()


def test_a_kernel_that_cannot_be_started_is_an_input_error() -> None:
    with pytest.raises(InputError, match="/no/such/kernel: cannot be started"):
        verify(PipeAdapter("/no/such/kernel"), operations=["clip"], generated=0)


# In C


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The kernel that README.md compiles."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("there is no C compiler")
    program = tmp_path_factory.mktemp("kernel") / "kernel"
    subprocess.run(
        [compiler, "-O2", "-std=c99", "-o", str(program), str(HERE / "kernel.c"), "-lm"], check=True
    )
    return str(program)


def test_the_kernel_in_c_passes_every_scalar_operation(kernel: str) -> None:
    integers = ("exact", "tflite_single", "tflite_up", "tflite_away")
    report = verify(PipeAdapter(kernel, capabilities=Capabilities(requantization=integers)))
    assert report.exit_code == EXIT_PASS, report.text()
    scalar = {name for name, operation in OPERATIONS.items() if operation.scalar}
    assert {name for name in scalar if report.total(operation=name)["pass"] > 1000} == scalar
    assert "profile core-int, border;" in report.claim


def test_the_kernel_in_c_stands_between_gen_and_check(kernel: str) -> None:
    arguments = ["requantize", "--profile", "tflite_away", "--n", "300", "--bits", "8"]
    stream = subprocess.run([*CLI, "gen", *arguments], capture_output=True, check=True).stdout
    answers = subprocess.run([kernel], input=stream, capture_output=True, check=True).stdout
    done = subprocess.run([*CLI, "check", *arguments], input=answers, capture_output=True)
    assert done.returncode == EXIT_PASS, done.stdout
    assert b"300 of 300 pass" in done.stdout
