from __future__ import annotations

import gzip
import io
import json
import os
import socket
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.formats import untrusted
from aquant_ref.formats.npy import Truncated, npy_bytes, parse_npy
from aquant_ref.formats.untrusted import (
    open_gzip,
    open_zip,
    parse_json,
    read_entry,
    read_file,
    read_gzip,
    read_json,
    read_text,
    read_toml,
)

posix = pytest.mark.skipif(os.name != "posix", reason="needs the files of POSIX")


def unzip(path: Path) -> dict[str, bytes]:
    with open_zip(path) as archive:
        return {name: read_entry(archive, name) for name in archive.namelist()}


READERS: dict[str, Callable[[Path], Any]] = {
    "file": read_file,
    "text": read_text,
    "json": read_json,
    "toml": read_toml,
    "gzip": read_gzip,
    "zip": unzip,
}
each_reader = pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())


def refusal(path: Path, read: Callable[[Path], Any]) -> str:
    """Why the reader refuses the file: one line, without the file's name before it."""
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()
    return str(caught.value).removeprefix(f"{path}: ")


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


# Text, JSON, TOML


@each_reader
@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x00\x01[[", b"\x1f\x8b\x08", b"PK\x03\x04"])
def test_garbage_is_refused_in_one_line(
    tmp_path: Path, read: Callable[[Path], Any], content: bytes
) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    if read is not read_file and not (read is read_text and content.isascii()):
        refusal(path, read)


HOSTILE_JSON = {
    "nothing": ("", "cannot be read as JSON"),
    "half": ('{"a": ', "cannot be read as JSON"),
    "deep": ("[" * 100_000, "is nested too deeply"),
    "deep and whole": ("[" * 65 + "]" * 65, "is nested too deeply"),
    "deep objects": ('{"a":' * 500 + "1" + "}" * 500, "is nested too deeply"),
    "NaN": ("[NaN]", "has NaN"),
    "infinity": ("[-Infinity]", "has -Infinity"),
    "beyond float64": ("[1e999]", "has a number beyond float64, 1e999"),
    "long integer": ("9" * 301, "has an integer of 301 digits"),
    "very long integer": ("9" * 100_000, "has an integer of 100000 digits"),
    "half a pair": (r'["\ud800"]', "has half a surrogate pair"),
    "half a pair in a key": (r'{"\uDFFF": 1}', "has half a surrogate pair"),
    "a key twice": ('{"a": 1, "b": 2, "a": 3}', "has 'a' twice"),
    "a key twice among many": (
        "{" + "".join(f'"{number}": 1, ' for number in range(50_000)) + '"49999": 2}',
        "has '49999' twice",
    ),
    "large": ("[" + " " * (16 << 20) + "]", "more than the"),
}


@pytest.mark.parametrize(("text", "reason"), HOSTILE_JSON.values(), ids=HOSTILE_JSON.keys())
def test_json_that_later_work_could_stumble_on_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "f.json"
    path.write_text(text)
    assert reason in refusal(path, read_json)
    for form in (text, text.encode()):
        with pytest.raises(InputError, match="^the header: ") as caught:
            parse_json(form, "the header")
        assert reason in str(caught.value)


def test_json_is_read_as_it_is() -> None:
    value = {"a": [1, -2.5, None, True, "é\u2028\ud83d\ude00".encode("utf-16", "surrogatepass")[2:]
                   .decode("utf-16-le")], "b": {"c": 10**299, "d": [[[]]]}}  # fmt: skip
    for ascii_only in (True, False):
        assert parse_json(json.dumps(value, ensure_ascii=ascii_only), "f") == value
    assert parse_json("[" * 64 + "]" * 64, "f")


HOSTILE_TOML = {
    "half": ("[[deviation]\n", "cannot be read as TOML"),
    "deep": ("a = " + "[" * 10_000, "is nested too deeply"),
    "deep and whole": ("a = " + "[" * 70 + "]" * 70, "is nested too deeply"),
    "a key of many parts": ("a." * 50_000 + "a = 1", "more than 100 dots"),
    "long integer": ("a = " + "9" * 5000, "cannot be read as TOML"),
    "large": ("#" * (257 << 10), "more than the"),
}


@pytest.mark.parametrize(("text", "reason"), HOSTILE_TOML.values(), ids=HOSTILE_TOML.keys())
def test_toml_that_later_work_could_stumble_on_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "f.toml"
    path.write_text(text)
    if reason == "cannot be read as TOML" and sys.version_info < (3, 11) and "999" in text:
        return  # there is no limit of digits for int() before
    assert reason in refusal(path, read_toml)


# Zip and gzip


def zipped(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_a_zip_file_is_read(tmp_path: Path) -> None:
    entries = {"a": bytes(1000), "b": b"", "c/d": b"xyz"}
    assert unzip(zipped(tmp_path / "f", entries)) == entries


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may inflate to whatever little is less, so that the files of tests can be small."""
    monkeypatch.setattr(untrusted, "ANY_RATIO", 1 << 20)


@pytest.mark.usefixtures("small")
def test_a_zip_file_that_inflates_a_thousandfold_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "f", {"a": bytes(2 << 20)})
    assert "inflates from" in refusal(path, unzip)


def test_a_zip_file_whose_entry_inflates_to_more_than_it_claims_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "f", {"a": bytes(8 << 20)})
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 8 << 20), struct.pack("<I", 9)))
    assert "entry 'a' is damaged" in refusal(path, unzip)


def test_a_zip_file_with_a_huge_table_of_contents_is_refused_unread(tmp_path: Path) -> None:
    path = zipped(tmp_path / "f", {"a": b""})
    end = path.read_bytes()[-22:]
    with path.open("wb") as stream:
        stream.truncate(1 << 30)
        stream.seek(1 << 30)
        stream.write(end[:12] + struct.pack("<II", 1 << 30, 0) + end[20:])
    assert "more entries than are read" in refusal(path, unzip)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_could_inflate_a_millionfold_is_not_inflated(tmp_path: Path, method: int) -> None:
    path = zipped(tmp_path / "f", {"a": b"abc"}, method)
    assert refusal(path, unzip) == "entry 'a' is neither stored plainly nor deflated"


def test_an_unknown_compression_and_an_encrypted_entry_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "f", {"a": b"abc"}, zipfile.ZIP_STORED)
    whole = path.read_bytes()
    directory = whole.index(b"PK\x01\x02")
    for offset, value in ((10, 77), (8, 1)):
        damaged = bytearray(whole)
        damaged[directory + offset] = value
        path.write_bytes(damaged)
        assert refusal(path, unzip).startswith("entry 'a' is ")


def test_a_damaged_zip_file_is_read_or_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "f", {"a": b"abc" * 9, "b": bytes(99)})
    whole = path.read_bytes()
    for at in range(len(whole)):
        for value in (0, 1, 255):
            path.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
            try:
                unzip(path)
            except InputError as error:
                assert str(error).startswith(f"{path}: ")  # noqa: PT017 - either outcome is right


def test_a_gzip_file_is_read_up_to_the_limit_and_no_further(tmp_path: Path) -> None:
    path = tmp_path / "f.gz"
    path.write_bytes(gzip.compress(b"0123456789"))
    assert read_gzip(path, most=10) == b"0123456789"
    with pytest.raises(InputError, match="f.gz: inflates from 30 to 10 bytes or more"):
        read_gzip(path, most=9)


@pytest.mark.usefixtures("small")
def test_a_gzip_file_that_inflates_a_thousandfold_is_refused_whatever_way_it_is_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "f.gz"
    path.write_bytes(gzip.compress(bytes(4 << 20)))

    def in_parts(path: Path) -> None:
        with open_gzip(path) as stream:
            while stream.read(1 << 16):
                pass

    def beyond(path: Path) -> None:
        with open_gzip(path) as stream:
            stream.seek(4 << 20)

    for read in (read_gzip, in_parts, beyond):
        assert "inflates from" in refusal(path, read)


def test_a_truncated_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.gz"
    whole = gzip.compress(b"0123456789")
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        assert "damaged" in refusal(path, read_gzip)


# Arrays


def header(text: str, version: int = 1, data: bytes = b"") -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(text.encode()))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + data


def claim(descr: str = "'<f4'", shape: str = "(2,)", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


HEADERS = {
    "nothing": "",
    "token": "{'descr': '<f4",
    "indentation": "  {\n 1",
    "syntax": "{'descr': ]",
    "parentheses": "(" * 9000,
    "minuses": "-" * 9000 + "1",
    "long": claim() + " " * 20_000,
    "no dictionary": "[1, 2]",
    "no keys": "{}",
    "unhashable": "{[]: 1}",
    "Python 2": claim(shape="(2L,)"),
    "escape": claim(descr=r"'\d'"),
    "null byte": claim() + "\0",
    "bool": claim(shape="(True, 2)"),
    "float": claim(shape="(2.0,)"),
    "negative": claim(shape="(-2, -1)"),
    "huge": claim(shape="(10**18,)"),
    "very huge": claim(shape=f"({'9' * 4000},)"),
    "empty but huge": claim(shape="(0, 4611686018427387904, 4)"),
    "many axes": claim(shape=f"({'1, ' * 99})"),
    "no tuple": claim(shape="[2]"),
    "no bool": claim(order="2"),
    "structure": claim(descr="[('a', '<f4')]"),
    "odd structure": claim(descr="[('a', '<f4', -1)]"),
    "tuple": claim(descr="('<f4', (2, 2))"),
    "nested": claim(descr="('<f4', " * 30 + "2" + ")" * 30),
    "object": claim(descr="'|O'"),
    "text": claim(descr="'<U2'"),
    "void of a gigabyte": claim(descr="'|V2147483647'"),
    "date": claim(descr="'<M8[D]'"),
    "complex": claim(descr="'<c8'"),
    "list": claim(descr="[[[]]]"),
    "number": claim(descr="7"),
    "long double": claim(descr="'<f16'"),
}


@pytest.mark.parametrize("text", HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_header_that_is_not_that_of_plain_numbers_is_refused(text: str, version: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for foreign in (False, True):
            with pytest.raises(InputError):
                parse_npy(header(text, version, bytes(8)), foreign=foreign)


def test_every_truncation_of_an_array_is_called_one() -> None:
    data = npy_bytes(np.arange(3))
    for length in range(len(data)):
        with pytest.raises(Truncated):
            parse_npy(data[:length])
    with pytest.raises(InputError, match="which is not the size of its data"):
        parse_npy(data + b"x")


@pytest.mark.parametrize("shape", [(), (0,), (0, 5), (2, 0, 3), (4,), (2, 3, 4)])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", ["<f4", ">i8", "|b1"])
def test_what_numpy_writes_is_read(
    shape: tuple[int, ...], version: tuple[int, int], dtype: str
) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    for each in (array, np.asfortranarray(array)):
        stream = io.BytesIO()
        np.lib.format.write_array(stream, each, version=version)
        read = parse_npy(stream.getvalue(), foreign=True)
        assert read.dtype == array.dtype
        assert read.shape == each.shape
        assert read.tolist() == each.tolist()
        assert read.flags.writeable


def test_numpy_is_not_imported_for_files_without_arrays() -> None:
    code = "import sys, aquant_ref.formats.untrusted; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_limit_has_its_reason() -> None:
    lines = Path(untrusted.__file__).read_text(encoding="utf-8").splitlines()
    limits = [line for line in lines if line.partition(" = ")[0].isupper() and line[0] != "_"]
    assert len(limits) >= 8
    assert [line for line in limits if "  # " not in line] == []
