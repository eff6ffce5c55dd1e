"""A library in a process of its own: what is none is said in a line."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from aquant_ref.cli import main
from aquant_ref.conformance.adapters import LibraryAdapter
from aquant_ref.conformance.adapters.conversation import Ended
from aquant_ref.conformance.adapters.library.process import Call, Library, Unanswered
from aquant_ref.errors import InputError
from tests.meta.libraries import Compiled

BAD_INPUT = 2


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


def test_a_call_is_answered_and_the_process_starts_again_after_a_crash(
    library: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clipped() -> list[int]:
        call = Call("aquant_clip", 3)
        call.add("text", "core-int")
        call.array("i64", np.array([-300, 77, 300]))
        for end in (-128, 127):
            call.add("fill", "i32", end, 3)
        call.result("i32")
        (codes,) = loaded.call(call)
        return [int(code) for code in codes]

    monkeypatch.setenv("AQUANT_WAY", "crashes")
    loaded = Library(library("hostile_library.c"), 30)
    with pytest.raises(Ended) as error:
        clipped()
    assert error.value.kind == "crash"
    monkeypatch.setenv("AQUANT_WAY", "right")
    assert clipped() == [-128, 77, 127]
    loaded.close()


def test_a_file_that_was_changed_is_another_library(library: Compiled, tmp_path: Path) -> None:
    path = written(tmp_path / "libcopy.so", library("hostile_library.c").read_bytes())
    loaded = Library(path, 30)
    loaded.check_unchanged()
    written(path, path.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"libcopy\.so was changed meanwhile"):
        loaded.check_unchanged()


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (Unanswered(3), ("error", "refused")),
        (Unanswered(4), ("skip", "unsupported")),
        (Unanswered(7), ("invalid", "returned status 7, which means nothing")),
        (Unanswered(0, wrote_behind=True), ("invalid", "wrote behind the end of its result")),
    ],
)
def test_a_status_is_an_answer_of_its_own(error: Unanswered, answer: tuple[str, str]) -> None:
    assert error.answer == answer
