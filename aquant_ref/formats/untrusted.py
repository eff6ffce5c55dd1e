"""Open files from outside: only regular files, and only up to a limit.

Whatever such a file contains, its reader ends soon, uses little more memory than the file's length,
and raises only InputError, one line that names the file. This module holds all limits, each with
its reason. `text` and `compressed` read by these limits, as do `npy`, `tensors` and the modules of
`data`. numpy is not imported.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from aquant_ref.errors import InputError, check_path, printable

PathLike = str | os.PathLike[str]

MOST_BYTES = 8 << 30  # of a file, which is read into memory: twice the largest recording
MOST_TEXT = 16 << 20  # bytes of JSON: an empty list of 3 bytes takes 60 when parsed
MOST_TOML = 256 << 10  # bytes of TOML: people write it, and its parser is slow
DEEPEST = 64  # levels of nested lists and objects: later code may recurse
MOST_DIGITS = 300  # of an integer: each such integer converts to float64
MOST_DOTS = 100  # in a line of TOML: `tomllib` takes quadratic time for a key of many parts
RATIO = 100  # inflated bytes for each stored one: only zeros deflate further, up to 1000
ANY_RATIO = 64 << 20  # inflated bytes that every file may have: weights may all be zero
MOST_DIRECTORY = 8 << 20  # bytes of a zip file's directory: an entry of 46 takes 700 in memory
MOST_PIXELS = 50_000_000  # of an image: 150 MB in RGB
MOST_PIXELS_IN_PYTHON = 400_000  # of a PPM: Pillow decodes its numbers one by one, for a second
MOST_SIDES = 32  # longer side over shorter: 1x40000 pixels would become 256 x 10 million

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

    Raises InputError, which names the file; InputError, OSError and MemoryError from the block
    become such an error too.
    """
    check_path(path)
    try:
        _check_kind(_status(path), most)  # first, because opening a device may change it
        # O_NONBLOCK, in case a pipe takes the file's place in the meantime
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
        raise InputError(f"{path}: needs more memory than is available") from error


def _status(path: PathLike) -> os.stat_result:
    try:
        return os.stat(path)
    except ValueError as error:  # a null byte, or a surrogate that is no byte
        raise InputError(f"cannot be read ({error})") from error


def _check_kind(status: os.stat_result, most: int) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise InputError(f"is {_KINDS.get(kind, 'something else')}, not a file")
    check_size(status.st_size, most)


def check_size(size: int, most: int) -> None:
    """Raise InputError if `size` bytes are more than `most`."""
    if size > most:
        raise InputError(f"has {size} bytes, more than the {most} that are read")


def read_file(path: PathLike, *, most: int = MOST_BYTES) -> bytes:
    """Return the bytes of the regular file `path`; raise InputError, which names it."""
    with open_file(path, most=most) as stream:
        size = os.fstat(stream.fileno()).st_size
        data = stream.read(size + 1)
        if len(data) != size:  # also in /proc, where every size is 0
            raise InputError("changes while it is read")
    return data
