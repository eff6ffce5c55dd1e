"""Kernels in a shared library: broken ones are reported as what they are, and one in C passes."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest

from aquant_ref.cli import main
from aquant_ref.conformance import Capabilities, verify
from aquant_ref.conformance.adapters import LibraryAdapter
from aquant_ref.conformance.adapters.library import abi
from aquant_ref.conformance.adapters.library.adapter import MOST
from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.contract import OPERATIONS, VARIATIONS, get
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report.report import EXIT_PASS, EXIT_PROTOCOL
from aquant_ref.errors import InputError
from tests.meta.libraries import HERE, Compiled

BAD_INPUT = 2


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


@pytest.fixture
def hostile(library: Compiled, monkeypatch: pytest.MonkeyPatch) -> Compiled:
    """The hostile library that goes one way."""

    def going(way: str) -> Path:
        monkeypatch.setenv("AQUANT_WAY", way)
        return library("hostile_library.c")

    return going


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


def test_an_operation_on_tensors_passes(hostile: Compiled) -> None:
    report = verify(LibraryAdapter(hostile("")), operations=["thresholds"], generated=0)
    assert report.exit_code == EXIT_PASS, report.text()
    assert report.total()["pass"] > 20


def test_what_is_not_exported_is_unsupported_and_not_passed(hostile: Compiled) -> None:
    report = verify(LibraryAdapter(hostile("")), operations=["requantize", "clip"], generated=0)
    assert report.total(operation="requantize")["pass"] == 0
    assert report.total(operation="requantize")["unsupported"] > 100
    assert report.exit_code == EXIT_PASS


def test_the_header_is_that_of_the_contract() -> None:
    assert (HERE / "kernel.h").read_text() == abi.header()  # to write anew where the contract grows


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


# What is no library


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def elf(machine: int) -> bytes:
    return b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack("<HH", 3, machine) + bytes(4096)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("libtext.so", b"int aquant_clip;", "libtext.so is no shared library"),
        ("libempty.so", b"", "libempty.so is no shared library"),
        ("liboff.so", elf(9999), "liboff.so is a library for another system (ELF for machine 9999"),
        ("kernel.dll", b"MZ".ljust(60, b"\0") + b"\x40\0\0\0PE\0\0\x4c\x01", "PE for i386"),
        ("kernel.dylib", struct.pack("<II", 0xFEEDFACF, 7), "(Mach-O"),
        ("libcut.so", None, "libcut.so: cannot be loaded ("),
    ],
)
def test_what_is_no_library_of_this_system_is_one_line(
    library: Compiled,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes | None,
    words: str,
) -> None:
    if content is None:
        content = library("hostile_library.c").read_bytes()[:100]
    path = written(tmp_path / name, content)
    assert main.main(["verify", "clip", "--library", str(path)]) == BAD_INPUT
    error = capsys.readouterr().err
    assert error.startswith("aquant-ref: error: library: ")
    assert error.count("\n") == 1
    assert words in error


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("crashes while it is loaded", "cannot be loaded (signal SIGABRT)"),
        ("another version", "follows version 99 of the ABI; this is version 1"),
    ],
)
def test_a_library_that_cannot_be_used_is_an_input_error(
    hostile: Compiled, way: str, words: str
) -> None:
    with pytest.raises(InputError, match=r"library: .*\.so") as error:
        LibraryAdapter(hostile(way)).start()
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["-Daquant_abi_version=other"], "has no function aquant_abi_version"),
        (["-Daquant_clip=other", "-Daquant_thresholds=others"], "has no function of the ABI"),
        (["-DMISSING"], "undefined symbol: not_anywhere"),
    ],
)
def test_a_missing_function_is_named(library: Compiled, flags: list[str], words: str) -> None:
    with pytest.raises(InputError) as error:
        LibraryAdapter(library("hostile_library.c", *flags)).start()
    assert words in str(error.value)


def test_a_directory_and_a_missing_file_are_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "libmissing.so"):
        with pytest.raises(InputError, match=path.name):
            LibraryAdapter(path)
