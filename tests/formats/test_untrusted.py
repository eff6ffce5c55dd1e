from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.errors import InputError
from aquant_ref.formats import untrusted
from aquant_ref.formats.text import read_text
from aquant_ref.formats.untrusted import read_file
from tests.formats.readers import each_reader, refusal

posix = pytest.mark.skipif(os.name != "posix", reason="needs the files of POSIX")


# What is no regular file


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    at = os.open(path.parent, os.O_RDONLY)  # the name of a socket has at most 107 bytes
    here = Path.cwd()
    os.fchdir(at)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)
        os.close(at)


KINDS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "nothing": (lambda path: None, "no such file"),
    "folder": (Path.mkdir, "is a directory, not a file"),
    "pipe": (pipe, "is a pipe, not a file"),
    "socket": (listening, "is a socket, not a file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
    "loop": (lambda path: path.symlink_to(path), "cannot be read"),
    "sparse": (lambda path: (path.touch(), os.truncate(path, 100 << 30)), "more than the"),
}


@posix
@each_reader
@pytest.mark.parametrize(("make", "reason"), KINDS.values(), ids=KINDS.keys())
def test_what_is_no_regular_file_of_a_sensible_size_is_refused_at_once(
    tmp_path: Path, read: Callable[[Path], Any], make: Callable[[Path], Any], reason: str
) -> None:
    path = tmp_path / "f"
    make(path)
    assert reason in refusal(path, read)


@posix
@each_reader
def test_a_pipe_that_takes_the_place_of_the_file_does_not_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], Any]
) -> None:
    path = tmp_path / "f"
    os.mkfifo(path)
    monkeypatch.setattr(os, "stat", lambda *_, **__: os.lstat(__file__))
    assert "is a pipe, not a file" in refusal(path, read)


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    for name in ("a\0b", "n" * 300):
        with pytest.raises(InputError, match="cannot be read"):
            read_file(tmp_path / name)


def test_a_file_that_grows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"ab")
    before = os.lstat(path)
    path.write_bytes(b"abc")
    monkeypatch.setattr(os, "fstat", lambda _: before)
    assert refusal(path, read_file) == "changes while it is read"


def test_a_file_is_read_up_to_the_limit_and_no_further(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    assert read_file(path, most=3) == b"abc"
    with pytest.raises(InputError, match="f: has 3 bytes, more than the 2 that are read"):
        read_file(path, most=2)


@each_reader
@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x00\x01[[", b"\x1f\x8b\x08", b"PK\x03\x04"])
def test_garbage_is_refused_in_one_line(
    tmp_path: Path, read: Callable[[Path], Any], content: bytes
) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    if read is not read_file and not (read is read_text and content.isascii()):
        refusal(path, read)


def test_numpy_is_not_imported_for_files_without_arrays() -> None:
    modules = "aquant_ref.formats.text, aquant_ref.formats.compressed"
    code = f"import sys, {modules}; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_limit_has_its_reason() -> None:
    lines = Path(untrusted.__file__).read_text(encoding="utf-8").splitlines()
    limits = [line for line in lines if line.partition(" = ")[0].isupper() and line[0] != "_"]
    assert len(limits) >= 8
    assert [line for line in limits if "  # " not in line] == []
