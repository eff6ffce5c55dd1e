"""Read files from outside: regular files alone, and nothing without a limit.

Whatever such a file holds, what reads it ends soon, needs little more memory than the file is long,
and raises nothing but InputError, one line that names the file. The limits are here, each with its
reason; `npy` has the arrays. numpy is not imported.
"""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import re
import stat
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from aquant_ref.errors import InputError, printable

if sys.version_info >= (3, 11):
    import tomllib
else:  # the extra "conformance" brings it
    try:
        import tomli as tomllib
    except ImportError:
        tomllib = None

PathLike = str | os.PathLike[str]

MOST_BYTES = 8 << 30  # of a file, which is read into memory: twice the largest recording
MOST_TEXT = 16 << 20  # of JSON: parsed, an empty list of 3 bytes takes 60
MOST_TOML = 256 << 10  # of TOML: written by hand, and its parser is slow
DEEPEST = 64  # lists and objects in one another: what works on them later may be recursive
MOST_DIGITS = 300  # of an integer: every one converts to float64
MOST_DOTS = 100  # in a line of TOML: `tomllib` takes quadratic time for a key of many parts
RATIO = 100  # inflated bytes for each stored one: deflate reaches 1000, but on nothing but zeros
ANY_RATIO = 64 << 20  # inflated bytes that any file may have: weights that are zeros are weights
MOST_DIRECTORY = 8 << 20  # of a zip file's table of contents: an entry of 46 bytes takes 700
MOST_PIXELS = 50_000_000  # of an image: in RGB they take 150 MB
MOST_PIXELS_IN_PYTHON = 400_000  # of a PPM that Pillow decodes number by number, in a second
MOST_SIDES = 32  # times the shorter side: 1x40000 pixels would be resized to 256 x 10 million

_LONG_INTEGER = re.compile(rf"\d{{{MOST_DIGITS + 1}}}")
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_FLAGS = sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_BINARY", "O_CLOEXEC", "O_NOCTTY"))


@contextmanager
def open_file(path: PathLike, *, most: int = MOST_BYTES) -> Iterator[BinaryIO]:
    """Yield the regular file `path`, of at most `most` bytes, as a binary stream.

    Raises InputError, which names the file; so does what the block raises as InputError, OSError or
    MemoryError.
    """
    try:
        _check_kind(_status(path), most)  # before it is opened, which a device may notice
        # what takes the file's place in the meantime does not block
        with open(os.open(path, os.O_RDONLY | _FLAGS), "rb") as stream:
            _check_kind(os.fstat(stream.fileno()), most)
            yield stream
    except InputError as error:
        named = str(error).startswith(printable(f"{path}: "))
        raise (error if named else InputError(f"{path}: {error}")) from error.__cause__
    except OSError as error:
        reason = error.strerror or error
        what = "no such file" if error.errno == errno.ENOENT else f"cannot be read ({reason})"
        raise InputError(f"{path}: {what}") from error
    except MemoryError as error:
        raise InputError(f"{path}: needs more memory than there is") from error


def _status(path: PathLike) -> os.stat_result:
    try:
        return os.stat(path)
    except ValueError as error:  # a null byte, or a surrogate that is no byte
        raise InputError(f"cannot be read ({error})") from error


def _check_kind(status: os.stat_result, most: int) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise InputError(f"is {_KINDS.get(kind, 'something else')}, not a file")
    _check_size(status.st_size, most)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise InputError(f"has {size} bytes, more than the {most} that are read")


def read_file(path: PathLike, *, most: int = MOST_BYTES) -> bytes:
    """The bytes of the regular file `path`; raises InputError, which names it."""
    with open_file(path, most=most) as stream:
        size = os.fstat(stream.fileno()).st_size
        data = stream.read(size + 1)
        if len(data) != size:  # as in /proc, where every size is 0
            raise InputError("changes while it is read")
    return data


def read_text(path: PathLike, *, most: int = MOST_TEXT) -> str:
    """The UTF-8 text of the regular file `path`; raises InputError, which names it."""
    try:
        return read_file(path, most=most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not text in UTF-8 ({error.reason})") from error


# JSON and TOML


def parse_json(text: str | bytes, what: str) -> Any:
    """The value that the JSON `text` holds.

    Every number of it is finite, every key of an object is there once, and every string can be
    written as UTF-8. Raises InputError, which names `what`.
    """
    try:
        _check_size(len(text), MOST_TEXT)
        text = text if isinstance(text, str) else text.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_float,
            parse_int=_integer if _LONG_INTEGER.search(text) else None,
            parse_constant=_no_constant,
        )
        _check_depth(value)
        if re.search(r"\\u[dD][89a-fA-F]", text):
            _check_strings(value)
    except RecursionError as error:
        raise InputError(f"{what}: is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{what}: is not text in UTF-8 ({error.reason})") from error
    except InputError as error:
        raise InputError(f"{what}: {error}") from error
    except ValueError as error:
        raise InputError(f"{what}: cannot be read as JSON ({error})") from error
    return value


def read_json(path: PathLike, *, most: int = MOST_TEXT) -> Any:
    """The value that the JSON file `path` holds, as `parse_json`."""
    return parse_json(read_text(path, most=most), str(path))


def read_toml(path: PathLike) -> dict[str, Any]:
    """The table that the TOML file `path` holds; raises InputError, which names it."""
    if tomllib is None:
        raise InputError(f"{path}: Python 3.10 needs pip install 'aquant-ref[conformance]' for it")
    text = read_text(path, most=MOST_TOML)
    try:
        if any(line.count(".") > MOST_DOTS for line in text.splitlines()):
            raise InputError(f"has a line with more than {MOST_DOTS} dots")
        table = tomllib.loads(text)
        _check_depth(table)
    except RecursionError as error:
        raise InputError(f"{path}: is nested too deeply") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except ValueError as error:
        raise InputError(f"{path}: cannot be read as TOML ({error})") from error
    return table


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        key, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise InputError(f"has {key!r} twice in one object")
    return made


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise InputError(f"has an integer of {len(digits)} digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if abs(value) == float("inf"):
        raise InputError(f"has a number beyond float64, {digits[:20]}")
    return value


def _no_constant(name: str) -> None:
    raise InputError(f"has {name}, which is not JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [each for each in level if isinstance(each, (list, dict))]
        if not level:
            return
        level = [i for each in level for i in (each.values() if isinstance(each, dict) else each)]
    raise InputError("is nested too deeply")


def _check_strings(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError("has half a surrogate pair in a string") from error


# What unpacks to more than it is


@contextmanager
def open_zip(
    path: PathLike, *, most: int = MOST_BYTES, form: str = "a zip archive"
) -> Iterator[zipfile.ZipFile]:
    """Yield the zip file `path`; `read_entry` reads from it.

    What its entries claim has been checked: each has a name of its own, is stored or deflated, and
    all together inflate to at most `most` bytes and RATIO times the file. Raises InputError, which
    names the file and, where it is no zip archive, what it should be: `form`.
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
    """A stream that gives at most `most` bytes at once: `zipfile` reads a whole table of contents,
    whatever length the file claims of it.
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
    if stream.read(4) == b"PK\x03\x04":  # the table of contents is at the end
        return f"is damaged or truncated ({error})"
    return f"is damaged or not {form}"


def _check_entries(entries: list[zipfile.ZipInfo], size: int, most: int) -> None:
    names: set[str] = set()
    for entry in entries:
        if not entry.filename:  # `zipfile` looks at its last character
            raise InputError("holds an entry without a name")
        if entry.filename in names:
            raise InputError(f"holds two entries of one name, {entry.filename!r}")
        names.add(entry.filename)
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(f"entry {entry.filename!r} is neither stored plainly nor deflated")
        if entry.flag_bits & 1:
            raise InputError(f"entry {entry.filename!r} is encrypted")
    if sum(entry.compress_size for entry in entries) > size:
        raise InputError("holds entries that claim more bytes than the file has")
    _check_inflated(sum(entry.file_size for entry in entries), size, most)


def _most_inflated(size: int, most: int) -> int:
    return min(most, ANY_RATIO + RATIO * size)


def _check_inflated(inflated: int, size: int, most: int) -> None:
    if inflated > _most_inflated(size, most):
        raise InputError(f"inflates from {size} to {inflated} bytes or more, which is refused")


def read_entry(archive: zipfile.ZipFile, entry: str | zipfile.ZipInfo) -> bytes:
    """The bytes of an entry of `open_zip`; raises InputError, which names the entry."""
    name = entry if isinstance(entry, str) else entry.filename
    try:
        return archive.read(entry)
    except MemoryError:
        raise
    except Exception as error:  # a damaged field may raise anything
        raise InputError(f"entry {name!r} is damaged ({error or 'it ends too soon'})") from error


@contextmanager
def open_gzip(path: PathLike, *, most: int = MOST_BYTES) -> Iterator[BinaryIO]:
    """Yield what the gzip file `path` holds as a stream that raises InputError at `most` bytes, and
    at RATIO times the file.

    Raises InputError, which names the file, also where the block meets a damaged part.
    """
    with open_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            with _Gzip(stream, size, most) as inflated:
                yield cast(BinaryIO, inflated)
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
        """Go to `offset`, which means to inflate all that is before it."""
        if whence == io.SEEK_SET:
            _check_inflated(offset, self._size, self._most)
        return super().seek(offset, whence)


def read_gzip(path: PathLike, *, most: int = MOST_BYTES) -> bytes:
    """What the gzip file `path` holds; raises InputError, which names the file."""
    with open_gzip(path, most=most) as stream:
        return stream.read()
