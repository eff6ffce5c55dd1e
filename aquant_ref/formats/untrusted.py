"""Read files from outside: regular files alone, and nothing without a limit.

Whatever such a file holds, what reads it ends soon, needs little more memory than the file is long,
and raises nothing but InputError, one line that names the file. The limits are here, each with its
reason; `npy` has the arrays. numpy is not imported.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from aquant_ref.errors import InputError, printable

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
    check_size(status.st_size, most)


def check_size(size: int, most: int) -> None:
    """Raise InputError if `size` bytes are more than `most`."""
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
