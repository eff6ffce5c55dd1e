"""Read zip and gzip files from outside, within the limits of `untrusted`.

Such files may inflate to a thousand times their size, so the sizes that they claim are checked
before they are inflated, and the bytes are counted while they are.
"""

from __future__ import annotations

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from aquant_ref.errors import InputError
from aquant_ref.formats.untrusted import (
    ANY_RATIO,
    MOST_BYTES,
    MOST_DIRECTORY,
    RATIO,
    PathLike,
    open_file,
)


@contextmanager
def open_zip(
    path: PathLike, *, most: int = MOST_BYTES, form: str = "a zip archive"
) -> Iterator[zipfile.ZipFile]:
    """Yield the zip file `path`; `read_entry` reads from it.

    The claims of its entries are checked: each has a unique name, is stored or deflated, and all
    inflate together to at most `most` bytes and RATIO times the file. Raises InputError, which
    names the file; for a file that is no zip archive, `form` says what it should be.
    """
    with open_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        reader = _Reader(stream, MOST_DIRECTORY)
        try:
            archive = zipfile.ZipFile(reader)
        except (InputError, MemoryError):
            raise
        except Exception as error:  # a damaged field may raise anything
            raise InputError(_why_not_a_zip(stream, size, form, error)) from error
        reader.most = size
        with archive:
            _check_entries(archive.infolist(), size, most)
            yield archive


class _Reader:
    """A stream that reads at most `most` bytes at once.

    `zipfile` reads a whole directory at once, whatever length the file claims for it.
    """

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream, self.most = stream, most
        self.seek, self.tell = stream.seek, stream.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size > self.most:
            raise InputError("is damaged, or has more entries than are read")
        return self._stream.read(size)


def _why_not_a_zip(stream: BinaryIO, size: int, form: str, error: Exception) -> str:
    if not size:
        return "is empty"
    stream.seek(0)
    if stream.read(4) == b"PK\x03\x04":  # a zip file, whose directory is at its end
        return f"is damaged or truncated ({error})"
    return f"is damaged or not {form}"


def _check_entries(entries: list[zipfile.ZipInfo], size: int, most: int) -> None:
    names: set[str] = set()
    for entry in entries:
        if not entry.filename:  # `zipfile` reads its last character
            raise InputError("holds an entry without a name")
        if entry.filename in names:
            raise InputError(f"holds two entries of one name, {entry.filename!r}")
        names.add(entry.filename)
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(f"entry {entry.filename!r} is neither stored nor deflated")
        if entry.flag_bits & 1:
            raise InputError(f"entry {entry.filename!r} is encrypted")
    if sum(entry.compress_size for entry in entries) > size:
        raise InputError("holds entries that claim more bytes than the file has")
    _check_inflated(sum(entry.file_size for entry in entries), size, most)


def _most_inflated(size: int, most: int) -> int:
    return min(most, ANY_RATIO + RATIO * size)


def _check_inflated(inflated: int, size: int, most: int) -> None:
    if inflated > _most_inflated(size, most):
        raise InputError(f"inflates from {size} to {inflated} bytes or more, beyond the limit")


def read_entry(archive: zipfile.ZipFile, entry: str | zipfile.ZipInfo) -> bytes:
    """Return the bytes of an entry of `open_zip`; raise InputError, which names the entry."""
    name = entry if isinstance(entry, str) else entry.filename
    try:
        return archive.read(entry)
    except MemoryError:
        raise
    except Exception as error:  # a damaged field may raise anything
        raise InputError(f"entry {name!r} is damaged ({error or 'it ends too soon'})") from error


@contextmanager
def open_gzip(path: PathLike, *, most: int = MOST_BYTES) -> Iterator[BinaryIO]:
    """Yield the content of the gzip file `path` as a binary stream.

    The stream raises InputError beyond `most` bytes and beyond RATIO times the file, and where the
    file is damaged or truncated. The error names the file.
    """
    with open_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            with _Gzip(stream, size, most) as inflated:
                yield cast("BinaryIO", inflated)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"is truncated or damaged ({error})") from error


class _Gzip(gzip.GzipFile):
    def __init__(self, stream: BinaryIO, size: int, most: int) -> None:
        super().__init__(fileobj=stream, mode="rb")
        self._size, self._most = size, most

    def read(self, size: int | None = -1) -> bytes:
        left = _most_inflated(self._size, self._most) - self.tell()
        data = super().read(left + 1 if size is None or size < 0 else min(size, left + 1))
        _check_inflated(self.tell(), self._size, self._most)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to `offset`; gzip inflates all bytes before it."""
        if whence == io.SEEK_SET:
            _check_inflated(offset, self._size, self._most)
        return super().seek(offset, whence)
