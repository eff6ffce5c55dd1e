"""Kernels in a shared library: broken ones are reported as what they are, and one in C passes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from aquant_ref.cli import main
from aquant_ref.conformance import Capabilities, verify
from aquant_ref.conformance.adapters import LibraryAdapter
from aquant_ref.conformance.adapters.apart import MOST
from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.contract import OPERATIONS, VARIATIONS, get
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report.report import EXIT_PASS, EXIT_PROTOCOL
from tests.meta.libraries import Compiled


def clip_cases(*values: int) -> Cases:
    """Of each value, clipped to -128..127."""
    count = len(values)
    columns = {"v": np.array(values), "low": np.full(count, -128), "high": np.full(count, 127)}
    ids = [f"clip/{k}" for k in range(count)]
    return Cases(get("clip"), "core-int", ids, [("made",)], np.zeros(count, np.int64), columns)


def asked(path: Path, *values: int, timeout: float = 30) -> tuple[LibraryAdapter, Answers]:
    adapter = LibraryAdapter(path, timeout=timeout)
    adapter.start()
    return adapter, adapter.answer(Selection("clip"), clip_cases(*values))


# Right ones


def test_the_kernel_in_c_passes_every_scalar_operation_and_variation(library: Compiled) -> None:
    """Spec: AQ-CONF-6."""
    every = Capabilities(requantization=tuple(VARIATIONS))
    adapter = LibraryAdapter(library("kernel_library.c"), capabilities=every)
    scalar = [name for name, operation in OPERATIONS.items() if operation.scalar]
    report = verify(adapter, operations=scalar, generated=0)
    assert report.exit_code == EXIT_PASS, report.text()
    assert all(report.total(operation=name)["pass"] for name in scalar)
    assert all(report.total(operation="requantize", profile=p)["pass"] > 100 for p in VARIATIONS)


def test_a_library_is_asked_in_the_variations_that_options_name(
    library: Compiled, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example has the contract's own alone, and says so."""
    words = ["verify", "dequantize", "--library", str(library("kernel_library.c")), "--n", "0"]
    assert main.main([*words, "--variations", "dequantize:float32", "--bits", "8"]) == 4
    out = capsys.readouterr().out
    assert "dequantize      float32" in out
    assert "0 pass" in out
    assert " 0 fail" in out


def test_an_operation_on_tensors_passes(hostile: Compiled) -> None:
    report = verify(LibraryAdapter(hostile("")), operations=["thresholds"], generated=0)
    assert report.exit_code == EXIT_PASS, report.text()
    assert report.total()["pass"] > 20


def test_what_is_not_exported_is_unsupported_and_not_passed(hostile: Compiled) -> None:
    report = verify(LibraryAdapter(hostile("")), operations=["requantize", "clip"], generated=0)
    assert report.total(operation="requantize")["pass"] == 0
    assert report.total(operation="requantize")["unsupported"] > 100
    assert report.exit_code == EXIT_PASS


def test_a_million_cases_are_asked_at_once(library: Compiled) -> None:
    """Measured: 0.1 s on a machine with nothing else to do."""
    adapter = LibraryAdapter(library("kernel_library.c"))
    adapter.start()
    values = np.arange(-500_000, 500_000)
    cases = clip_cases(*range(4))
    columns = {"v": values, "low": np.full(10**6, -128), "high": np.full(10**6, 127)}
    many = Cases(
        cases.operation, cases.profile, range(10**6), cases.flags, np.zeros(10**6, int), columns
    )
    started = time.perf_counter()
    answers = adapter.answer(Selection("clip"), many)
    assert time.perf_counter() - started < 30  # one by one it would be minutes
    assert np.array_equal(answers.values[0], np.clip(values, -128, 127))


# Broken ones


@pytest.mark.parametrize(
    ("way", "what", "kind", "words"),
    [
        ("crashes", "crash", "crash", "signal SIGSEGV"),
        ("ends", "crash", "crash", "exit code 0"),
        ("hangs", "missing", "hang", "no answer after 1.5 s"),
        ("refuses", "error", "", "refused"),
        ("does not support", "skip", "", "unsupported"),
        ("returns nonsense", "invalid", "", "returned status 9, which means nothing"),
    ],
)
def test_what_one_case_does_is_about_that_case_and_the_rest_goes_on(
    hostile: Compiled, way: str, what: str, kind: str, words: str
) -> None:
    """Spec: AQ-CONF-6."""
    adapter, answers = asked(hostile(way), 1, 200, 77, -300, 5, timeout=1.5)
    assert {k: each[0] for k, each in answers.other.items()} == {2: what}
    assert words in answers.other[2][1]
    assert [v for k, v in enumerate(answers.values[0]) if k != 2] == [1, 127, -128, 5]
    assert list(adapter.problems.counts) == [kind] * bool(kind)
    if kind:
        assert "clip/2" in adapter.problems.first[0]


def test_an_operation_that_crashes_again_and_again_is_given_up(
    hostile: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MOST, "crash", 2)
    adapter, answers = asked(hostile("crashes"), *[77] * 4, 5)
    assert [answers.other[k][0] for k in range(5)] == ["crash"] * 2 + ["missing"] * 3
    assert "not asked, as the operation had 2 crashes before" in answers.other[4][1]
    assert adapter.problems.counts == {"crash": 2}


def test_a_crash_that_no_case_alone_causes_is_about_all_of_the_call(hostile: Compiled) -> None:
    adapter, answers = asked(hostile("crashes with several"), 1, 2, 3)
    assert {each[0] for each in answers.other.values()} == {"crash"}
    assert "3 cases in one call" in adapter.problems.first[0]


def test_a_result_that_is_written_too_far_is_no_answer(hostile: Compiled) -> None:
    _, answers = asked(hostile("writes behind"), 1, 2)
    assert set(answers.other.values()) == {("invalid", "wrote behind the end of its result")}


def test_a_tensor_without_room_is_no_answer(hostile: Compiled) -> None:
    report = verify(
        LibraryAdapter(hostile("claims a huge shape")), operations=["thresholds"], generated=0
    )
    assert report.total()["error"] > 20
    assert "wrote behind the end" in report.text()


def test_what_a_library_prints_is_no_answer(hostile: Compiled) -> None:
    _, answers = asked(hostile("prints"), 1, 200)
    assert answers.values[0].tolist() == [1, 127]


def test_a_crash_is_a_problem_of_the_report(hostile: Compiled) -> None:
    adapter = LibraryAdapter(hostile("crashes with several"))
    assert verify(adapter, operations=["clip"], generated=0).exit_code == EXIT_PROTOCOL


def test_an_input_beyond_its_type_is_not_passed_on(library: Compiled) -> None:
    cases = clip_cases(5, 6)
    cases.columns["low"][0] = -(2**40)
    adapter = LibraryAdapter(library("kernel_library.c"))
    adapter.start()
    answers = adapter.answer(Selection("clip"), cases)
    assert answers.other == {0: ("skip", "an input is beyond int32, which the function takes")}
    assert answers.values[0][1] == 6
