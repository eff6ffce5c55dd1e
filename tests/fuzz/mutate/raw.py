"""Changes to bytes that know nothing of a format."""

from __future__ import annotations

from random import Random

ENDS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ZEROS = (*(1 << 20,) * 63, 80 << 20)  # of what inflates a thousand times; some, to a lot
ENDS_64 = (*ENDS, 2**53, 2**63 - 1, 2**63, 2**64 - 1)


def integer(rng: Random, size: int) -> bytes:
    """An integer of so many bytes, often at an end of its range, in either byte order."""
    value = rng.choice(ENDS_64) if rng.random() < 0.7 else rng.getrandbits(8 * size)
    value = (value + rng.choice((-1, 0, 0, 0, 1))) % (1 << (8 * size))
    return value.to_bytes(size, rng.choice(("little", "big")))


def flip(rng: Random, data: bytes) -> bytes:
    """One to eight bits flipped."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(rng: Random, data: bytes) -> bytes:
    """An integer written over what is there, more often near the start, where headers are."""
    new = integer(rng, rng.choice((1, 2, 4, 8)))
    at = rng.randrange(min(len(data), rng.choice((64, 512, 1 << 20))) + 1)
    return data[:at] + new + data[at + len(new) :]


def cut(rng: Random, data: bytes) -> bytes:
    """A part left out, or the end."""
    a, b = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:a] if rng.random() < 0.5 else data[:a] + data[b:]


def insert(rng: Random, data: bytes) -> bytes:
    """A part of the file again, bytes drawn, or zeros."""
    at = rng.randrange(len(data) + 1)
    a, b = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    count = rng.choice((1, 4, 100, 5000))
    new = rng.choice((data[a : min(b, a + 5000)], rng.randbytes(count), bytes(count)))
    return data[:at] + new + data[at:]


RAW = (flip, overwrite, cut, insert)


def raw(rng: Random, data: bytes) -> bytes:
    """One of these changes."""
    return rng.choice(RAW)(rng, data)
