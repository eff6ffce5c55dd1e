"""Changes to tar archives: the fields of their headers, with checksums that are right again."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from random import Random

from tests.fuzz.mutate.raw import ZEROS, raw

BLOCK = 512
SIZE, TYPE = slice(124, 136), 156
SIZES = (
    *(b"00000000000\0", b"77777777777\0", b"-0000000001\0", b"           \0", b"999\0", b"1e9\0"),
    *(b"\x80" + (2**40).to_bytes(11, "big"), b"\x80" + b"\xff" * 11),
    *(b"\xff" * 4 + (-512 % 2**64).to_bytes(8, "big"), b"\xff" * 12, b"\0" * 12),
)
TYPES = b"0\x001234567xgLKSDMNV9?"
NAMES = (
    b"../../x",
    b"/etc/passwd",
    b"",
    b"\n",
    b"\x1b[2J",
    b"\xff\xfe",
    b"data_batch_1",
    b"x" * 99,
)
PAX = (
    b"12 path=a/b\n",
    b"30 size=99999999999999999999\n",
    b"11 size=-1\n",
    b"99999999999 path=x\n",
    b"0 path=x\n",
    b"x path=x\n",
    b"-9 path=x\n",
    b"28 GNU.sparse.major=1\n28 GNU.sparse.minor=0\n",
    b"20 GNU.sparse.map=1\n",
    b"24 GNU.sparse.size=1e9\n",
    b"19 hdrcharset=\xff\xff\n",
    b"14 mtime=nan\n",
    b"99 path=" + b"x" * 90 + b"\n",
)


def sealed(header: bytes) -> bytes:
    """A header block with the right checksum."""
    blank = header[:148] + b" " * 8 + header[156:BLOCK]
    return blank[:148] + f"{sum(blank):06o}\0 ".encode() + blank[156:]


def headers(data: bytes) -> list[int]:
    """Where the headers of a whole archive are."""
    found, at = [], 0
    while at + BLOCK <= len(data) and data[at]:
        found.append(at)
        size = int(data[at:][SIZE].rstrip(b"\0 ") or b"0", 8)
        at += BLOCK * (1 + -(-size // BLOCK))
    return found


def member(name: bytes, kind: bytes, content: bytes, claimed: bytes | None = None) -> bytes:
    """A member: its header and its content."""
    size = f"{len(content):011o}\0".encode() if claimed is None else claimed
    header = name[:100].ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + size
    header += b"00000000000\0" + b" " * 8 + kind + b"\0" * 100 + b"ustar\x0000"
    return sealed(header.ljust(BLOCK, b"\0")) + content + bytes(-len(content) % BLOCK)


def field(rng: Random, data: bytes) -> bytes:
    """Another size, type, name, link or mode."""
    at = rng.choice(headers(data))
    block = bytearray(data[at : at + BLOCK])
    which = rng.randrange(4)
    if which == 0:
        block[SIZE] = rng.choice(SIZES)
    elif which == 1:
        block[TYPE] = rng.choice(TYPES)
        block[157:257] = rng.choice(
            (bytes(block[:100]), b"\0" * 100, b"/etc/passwd".ljust(100, b"\0"))
        )
    elif which == 2:
        block[:100] = rng.choice(NAMES).ljust(100, b"\0")
    else:
        start = rng.choice((100, 108, 116, 136, 257, 263, 329, 345, 386, 482))
        block[start : start + 8] = rng.choice(
            (b"\xff" * 8, b"\0" * 8, b"zzzzzzz\0", rng.randbytes(8))
        )
    return data[:at] + sealed(bytes(block)) + data[at + BLOCK :]


def extended(rng: Random, data: bytes) -> bytes:
    """A pax header or a GNU long name before a member, whose size need not be true."""
    at = rng.choice(headers(data))
    kind = rng.choice((b"x", b"g", b"X", b"L", b"K"))
    content = rng.choice(PAX) if kind in b"xgX" else rng.choice((*NAMES, b"y" * 70_000))
    claimed = rng.choice(SIZES) if rng.random() < 0.3 else None
    return data[:at] + member(rng.choice(NAMES), kind, content, claimed) + data[at:]


def order(rng: Random, data: bytes) -> bytes:
    """A member again, the archive again, zeros between, or an end that is missing."""
    starts = [*headers(data), len(data.rstrip(b"\0")) // BLOCK * BLOCK + BLOCK]
    k = rng.randrange(len(starts) - 1)
    part = data[starts[k] : starts[k + 1]]
    return rng.choice(
        (
            data[: starts[k]] + part + data[starts[k] :],
            data[: starts[k]] + data[starts[k + 1] :],
            data[: starts[k]] + bytes(BLOCK) + data[starts[k] :],
            data.rstrip(b"\0"),
            data + data,
            part * 100,
        )
    )


TAR = (field, field, extended, extended, order, raw)


def zipped(*mutators: Callable[[Random, bytes], bytes]) -> Callable[[Random, bytes], bytes]:
    """A change to what a .gz holds."""

    def of_content(rng: Random, data: bytes) -> bytes:
        return gzip.compress(rng.choice(mutators)(rng, _inflated(data)), 1, mtime=0)

    return of_content


def longer(rng: Random, data: bytes) -> bytes:
    """Zeros after what a .gz holds, a thousand times what they take."""
    return gzip.compress(_inflated(data) + bytes(rng.choice(ZEROS)), 6, mtime=0)


def _inflated(data: bytes) -> bytes:
    content = gzip.decompress(data)
    if len(content) > 4 << 20:
        raise ValueError("has been made large, and would be slow to change")
    return content
