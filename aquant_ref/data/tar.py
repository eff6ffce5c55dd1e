"""Read a tar archive as a stream, in bounded time.

Python's `tarfile` trusts the headers: after a member of negative size it reads the same header
forever, and an extended header may have any length. Here every step advances by at least one block,
and each number of a header has a limit.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from aquant_ref.errors import InputError

BLOCK = 512
CHUNK = 1 << 20  # bytes that are skipped at once
MOST_MEMBERS = 1000
MOST_EXTENDED = 64 << 10  # bytes of a header with a long name: a path on Linux has at most 4096
EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
PATH = re.compile(rb"\d+ path=([^\n]*)\n")


class Member:
    """A regular file of an archive: its `path`, its `size`, and its bytes on demand."""

    def __init__(self, stream: BinaryIO, path: str, size: int) -> None:
        self._stream, self.path, self.size = stream, PurePosixPath(path), size
        self._left = -(-size // BLOCK) * BLOCK  # up to the next header

    def read(self, most: int) -> bytes:
        """Read the first `most` bytes; call this method only once."""
        return self._take(min(most, self.size))

    def skip(self) -> None:
        """Go to the next header; raise InputError if the archive ends before it."""
        while self._left:
            self._take(min(self._left, CHUNK))

    def _take(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise InputError("is truncated: the archive ends in a member")
        self._left -= size
        return data


def members(stream: BinaryIO) -> Iterator[Member]:
    """Yield the regular files of the archive `stream`; skip links, folders and devices.

    The stream is read to its end, where gzip has a checksum. Raises InputError for a header that is
    damaged, of negative size or sparse, for more than MOST_MEMBERS members, and for an extended
    header of more than MOST_EXTENDED bytes.
    """
    long_name = ""  # of the next member, from an extended header
    for _ in range(MOST_MEMBERS):
        header = _header(stream)
        if header is None:
            break
        member = Member(stream, long_name or header.name, header.size)
        if header.type in EXTENDED:
            if header.size > MOST_EXTENDED:
                raise InputError(f"has an extended header of {header.size} bytes")
            long_name = _long_name(header.type, member.read(header.size)) or long_name
        else:
            long_name = ""
            if header.type == tarfile.GNUTYPE_SPARSE:
                raise InputError(f"has a sparse member, {member.path.name!r}")
            if header.type in tarfile.SUPPORTED_TYPES and not header.isreg():
                continue  # such members have no bytes, whatever size they claim
            yield member
        member.skip()
    else:
        raise InputError(f"has more than {MOST_MEMBERS} members")
    while stream.read(CHUNK):
        pass


def _header(stream: BinaryIO) -> tarfile.TarInfo | None:
    """Read the next header; return None at the end of the archive."""
    block = stream.read(BLOCK)
    if not block.strip(b"\0"):
        return None
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except Exception as error:  # a damaged number may raise anything
        raise InputError(f"is truncated or damaged ({error})") from error
    if header.size < 0:
        raise InputError(f"has a member of {header.size} bytes, {header.name!r}")
    return header


def _long_name(kind: bytes, data: bytes) -> str:
    """Return the path in an extended header, or ""; raise InputError for a sparse file."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return data.rstrip(b"\0").decode("utf-8", "surrogateescape")
    if kind != tarfile.XHDTYPE:
        return ""
    if b"GNU.sparse." in data or b" size=" in data:
        raise InputError("has a member whose size is not in its own header")
    match = PATH.search(data)
    return match[1].decode("utf-8", "surrogateescape") if match else ""
