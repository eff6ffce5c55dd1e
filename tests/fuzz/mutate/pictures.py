"""Changes to image files: the chunks of a PNG, the segments of a JPEG, the tags of a TIFF."""

from __future__ import annotations

import struct
import zlib
from random import Random

from tests.fuzz.mutate.raw import ENDS, integer, raw

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIDES = (0, 1, 2, 8, 31, 33, 1000, 40_000, 70_000, 2**31 - 1, 2**31, 2**32 - 1)
Chunk = tuple[bytes, bytes]


def chunks(data: bytes) -> list[Chunk]:
    """The chunks of a PNG, without lengths and checksums."""
    if not data.startswith(SIGNATURE):
        raise ValueError("is no PNG")
    found, at = [], len(SIGNATURE)
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def png_of(parts: list[Chunk]) -> bytes:
    """A PNG of these chunks, with the right lengths and checksums."""
    written = [
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    ]
    return SIGNATURE + b"".join(written)


def png(rng: Random, data: bytes) -> bytes:
    """Another size, depth or colour type, or other chunks, each with its checksum."""
    parts = chunks(data)
    which = rng.randrange(6)
    k = rng.randrange(len(parts))
    kind, content = parts[k]
    if which < 2:
        fields = list(struct.unpack(">IIBBBBB", parts[0][1]))
        field = rng.randrange(7)
        fields[field] = (
            rng.choice(SIDES) if field < 2 else rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        )
        parts[0] = b"IHDR", struct.pack(">IIBBBBB", *fields)
    elif which == 2:
        parts[k] = kind, raw(rng, content)
    elif which == 3:
        parts[k : k + 1] = rng.choice(([], [parts[k]] * 2, [parts[k]] * 300))
    elif which == 4:
        parts.insert(rng.randrange(1, len(parts) + 1), _chunk(rng))
    else:
        pixels = zlib.decompress(b"".join(content for kind, content in parts if kind == b"IDAT"))
        other = rng.choice((raw(rng, pixels), pixels + bytes(8 << 20), pixels[: len(pixels) // 2]))
        parts = [each for each in parts if each[0] != b"IDAT"]
        parts.insert(-1, (b"IDAT", zlib.compress(other)))
    return png_of(parts)


def _chunk(rng: Random) -> Chunk:
    """One that Pillow looks into, in most cases with content that does not fit."""
    large = zlib.compress(bytes(4 << 20))
    return rng.choice(
        (
            (b"tEXt", b"x\0y"),
            (b"tEXt", b"Raw profile type exif\0\nexif\n 9\nzz"),
            (b"zTXt", b"x\0\0" + large),
            (b"iTXt", b"x\0\1\0\0\0" + large),
            (b"iCCP", b"x\0\0" + large),
            (b"iCCP", b""),
            (b"eXIf", b"MM\0*\0\0\0\x08" + rng.randbytes(20)),
            (b"tRNS", rng.randbytes(rng.choice((0, 1, 6, 300)))),
            (b"PLTE", rng.randbytes(rng.choice((0, 3, 5, 768, 900)))),
            (b"gAMA", integer(rng, 4)),
            (b"cHRM", rng.randbytes(7)),
            (b"sRGB", b""),
            (b"pHYs", integer(rng, 8) + b"\1"),
            (b"acTL", integer(rng, 4) + integer(rng, 4)),
            (b"fcTL", rng.randbytes(26)),
            (b"fdAT", b"\0\0\0\0" + large[:50]),
            (b"IEND", b""),
            (b"abcd", rng.randbytes(9)),
        )
    )


def jpeg(rng: Random, data: bytes) -> bytes:
    """A segment again, without its content, left out, or with something else in it."""
    if data[:2] != b"\xff\xd8":
        raise ValueError("is no JPEG")
    starts, at = [], 2
    while at + 4 < len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        starts.append(at)
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    start = rng.choice(starts)
    end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    segment = data[start:end]
    marker = bytes([0xFF, rng.choice((0xC0, 0xC2, 0xC4, 0xDB, 0xDD, 0xE0, 0xE1, 0xED, 0xEE, 0xFE))])
    content = rng.choice((b"", b"Exif\0\0MM\0*\0\0\0\x08", b"MPF\0", rng.randbytes(30)))
    other = rng.choice(
        (
            segment * 2,
            b"",
            segment[:4] + raw(rng, segment[4:])[: len(segment) - 4],
            segment[:5] + integer(rng, 2) + integer(rng, 2) + segment[9:],  # the size of a frame
            marker + struct.pack(">H", 2 + len(content)) + content + segment,
            segment[:2] + integer(rng, 2) + segment[4:],
        )
    )
    return data[:start] + other + data[end:]


TAGS = (
    256,
    257,
    258,
    259,
    262,
    273,
    277,
    278,
    279,
    282,
    284,
    317,
    320,
    322,
    323,
    324,
    339,
    700,
    34675,
)


def tiff(rng: Random, data: bytes) -> bytes:
    """Another value in an entry of the first directory: tag, type, count or value."""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    (start,) = struct.unpack(order + "I", data[4:8])
    (count,) = struct.unpack(order + "H", data[start : start + 2])
    changed = bytearray(data)
    at = start + 2 + 12 * rng.randrange(count)
    which = rng.randrange(4)
    if which == 0:
        struct.pack_into(order + "H", changed, at, rng.choice(TAGS))
    elif which == 1:
        struct.pack_into(order + "H", changed, at + 2, rng.choice((*range(18), 65535)))
    elif which == 2:
        struct.pack_into(order + "I", changed, at + 4, rng.choice(ENDS))
    else:
        value = rng.choice((*ENDS, *SIDES, 5, 7, 8, 16, 32773, 50000, start))
        struct.pack_into(order + "I", changed, at + 8, value % 2**32)
    if rng.random() < 0.1:  # the next directory is this one
        struct.pack_into(order + "I", changed, start + 2 + 12 * count, start)
    return bytes(changed)


def picture(rng: Random, data: bytes) -> bytes:
    """A change to an image of whichever of these formats."""
    for start, change in ((SIGNATURE, png), (b"\xff\xd8", jpeg), (b"II", tiff), (b"MM", tiff)):
        if data.startswith(start):
            return change(rng, data)
    return raw(rng, data)


PICTURES = (picture, picture, picture, raw)
