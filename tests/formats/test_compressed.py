from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path

import pytest

from aquant_ref.errors import InputError
from aquant_ref.formats import compressed
from aquant_ref.formats.compressed import open_gzip
from tests.formats.readers import gunzip, refusal, unzip


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
    monkeypatch.setattr(compressed, "ANY_RATIO", 1 << 20)


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
    assert refusal(path, unzip) == "entry 'a' is neither stored nor deflated"


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
    assert gunzip(path, most=10) == b"0123456789"
    with pytest.raises(InputError, match="f.gz: inflates from 30 to 10 bytes or more"):
        gunzip(path, most=9)


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

    for read in (gunzip, in_parts, beyond):
        assert "inflates from" in refusal(path, read)


def test_a_truncated_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.gz"
    whole = gzip.compress(b"0123456789")
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        assert "damaged" in refusal(path, gunzip)
