"""Changes to zip archives: their entries, and the records that describe them."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterable
from random import Random

from tests.fuzz.mutate.raw import ENDS, ZEROS, raw

Entries = list[tuple[str, bytes]]
Inner = Callable[[Random, bytes], bytes]

NAMES = (
    *(
        "",
        "/",
        "x/",
        "/etc/passwd",
        "../../x.npy",
        "..\\x.npy",
        "C:\\x.npy",
        "a\x00b.npy",
        "\n.npy",
    ),
    *("\x1b[2J.npy", "é.npy", "\u2028.npy", "header.json", "HEADER.JSON", "x.npy", "x" * 5000, "."),
    *("__MACOSX/._x.npy", ".npy", "a//b.npy", "x.npy.npy", " .npy"),
)
MOST = 100  # entries that are compressed one by one, or changed further
METHODS = (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_STORED)


def read(data: bytes) -> Entries:
    """Names and contents of all entries."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        inflated = sum(each.file_size for each in archive.infolist())
        if len(archive.infolist()) > MOST or inflated > 4 << 20:
            raise ValueError("has been made large, and would be slow to change")
        return [(each.filename, archive.read(each)) for each in archive.infolist()]


def write(entries: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of them, in that order."""
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", method) as archive:
        warnings.simplefilter("ignore")  # two entries of one name are wanted here
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return stream.getvalue()


def entries(rng: Random, data: bytes) -> bytes:
    """Other entries: one again, renamed, missing, empty, compressed, a folder; in another order."""
    found = read(data)
    k = rng.randrange(len(found))
    name, content = found[k]
    changes: list[Callable[[], Entries]] = [
        lambda: [*found, found[k]],
        lambda: [*found, (name, b"")],
        lambda: found[:k] + found[k + 1 :],
        lambda: [*found[:k], (rng.choice(NAMES), content), *found[k + 1 :]],
        lambda: [*found, (rng.choice(NAMES), content)],
        lambda: [*found[:k], (name, b""), *found[k + 1 :]],
        lambda: [*found[:k], (name, rng.choice(found)[1]), *found[k + 1 :]],
        lambda: rng.sample(found, len(found)),
        lambda: [],
        lambda: found[:1] * 300,
        lambda: [*found, *((f"{j}.npy", b"") for j in range(2000))],
    ]
    made = rng.choice(changes)()
    method = rng.choice((zipfile.ZIP_STORED, *METHODS))
    return write(made, method if len(made) < MOST else zipfile.ZIP_STORED)


def bomb(rng: Random, data: bytes) -> bytes:
    """One entry that unpacks to a thousand times its size, zeros after what it has."""
    found = read(data)
    k = rng.randrange(len(found))
    found[k] = found[k][0], found[k][1] + bytes(rng.choice(ZEROS))
    return write(found, zipfile.ZIP_DEFLATED)


# What the local and the central record of an entry hold: (offset in it, size)
LOCAL = ((4, 2), (6, 2), (8, 2), (10, 2), (12, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))
CENTRAL = (
    *((4, 2), (6, 2), (8, 2), (10, 2), (12, 2), (14, 2), (16, 4), (20, 4), (24, 4), (28, 2)),
    *((30, 2), (32, 2), (34, 2), (36, 2), (38, 4), (42, 4)),
)
END = ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))
RECORDS = ((b"PK\x03\x04", LOCAL), (b"PK\x01\x02", CENTRAL), (b"PK\x05\x06", END))
ENCRYPTED = (6, 8)  # where the flags are in a local and in a central record


def records(rng: Random, data: bytes) -> bytes:
    """Another value in a record: a size, an offset, a checksum, a method, a flag."""
    changed = bytearray(data)
    mark, places = rng.choice(RECORDS)
    starts = [k for k in range(len(data) - 4) if data[k : k + 4] == mark]
    start = rng.choice(starts)
    offset, size = rng.choice(places)
    value = rng.choice((*ENDS, 8, 9, 12, 14, 64, 99, rng.getrandbits(8 * size)))
    changed[start + offset : start + offset + size] = (value % (1 << (8 * size))).to_bytes(
        size, "little"
    )
    return bytes(changed)


def encrypted(rng: Random, data: bytes) -> bytes:
    """All entries say that they are encrypted."""
    changed = bytearray(data)
    for (mark, _), offset in zip(RECORDS, ENCRYPTED, strict=False):
        for start in [k for k in range(len(data) - 4) if data[k : k + 4] == mark]:
            changed[start + offset] |= rng.choice((1, 1 | 64, 8, 32))
    return bytes(changed)


def around(rng: Random, data: bytes) -> bytes:
    """Something before or after the archive, or a comment."""
    end = data.rfind(b"PK\x05\x06")
    comment = rng.choice((b"x" * 65535, b"PK\x05\x06" + bytes(18), b"\n\x1b[2J"))
    sized = data[: end + 20] + struct.pack("<H", len(comment)) + comment
    return rng.choice((sized, comment + data, data + comment, data + data, data[: end + 20]))


ZIP = (entries, entries, records, records, encrypted, around, bomb, raw)


def inside(*mutators: Inner, suffix: str = ".npy") -> Inner:
    """A change to the content of one entry whose name ends so, in an archive that is whole."""

    def of_one(rng: Random, data: bytes) -> bytes:
        found = read(data)
        k = rng.choice([k for k, (name, _) in enumerate(found) if name.endswith(suffix)])
        found[k] = found[k][0], rng.choice(mutators)(rng, found[k][1])
        return write(found)

    return of_one
