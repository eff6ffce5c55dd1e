"""Changes to trees of plain values, and how they are written as JSON.

A tree is what JSON can say, with NaN, infinities, lone surrogates and integers of any size.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

from tests.fuzz.mutate.raw import raw

NUMBERS: tuple[Any, ...] = (
    *(0, 1, 2, 3, -1, -2, 7, 16, 17, 32, 255, 256, 1000),
    *(2**15, 2**16, 2**28, 2**31 - 1, 2**31, -(2**31), 2**53, 2**53 + 1, 2**63, -(2**63), 2**64),
    *(10**400, -0.0, 0.5, 1.0, 1e-320, 1e308, float("inf"), float("-inf"), float("nan")),
)
TEXTS = (
    *("", " ", "x", "0", "-1", "1e999", "None", "true", "image", "../x", "/", "a/b", "a.b", "\\"),
    *("\n", "a\nb", "\r", "\t", "\x00", "\x1b[2J", "\x0b", "\x0c", "\x85", "\u2028", "\u202e"),
    *("\ud800", "\udfff x", "é", "٣", "𝟛", "\ufeff", "%s", "{}", "{0.__class__}", "x" * 5000),
)


def odd(rng: Random) -> Any:
    """A value that hardly anybody expects."""
    return rng.choice(
        (
            lambda: None,
            lambda: rng.random() < 0.5,
            lambda: rng.choice(NUMBERS),
            lambda: rng.choice(NUMBERS),
            lambda: rng.choice(TEXTS),
            lambda: rng.choice(TEXTS),
            lambda: [],
            lambda: {},
            lambda: [rng.choice(NUMBERS) for _ in range(rng.randrange(1, 5))],
            lambda: [[rng.choice(NUMBERS)], rng.choice(TEXTS)],
            lambda: {rng.choice(TEXTS): rng.choice(NUMBERS)},
            lambda: nested(rng.choice((3, 60, 300))),
        )
    )()


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def places(value: Any, most: int = 2000) -> list[tuple[Any, Any]]:
    """Every (container, key) below `value`, at most so many."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(found) < most:
        each = waiting.pop()
        items: Iterator[tuple[Any, Any]] = iter(())
        if isinstance(each, dict):
            items = iter(each.items())
        elif isinstance(each, list):
            items = enumerate(each)
        for key, inner in items:
            found.append((each, key))
            waiting.append(inner)
    return found


def change(rng: Random, value: Any) -> Any:
    """The tree with one change; it is changed in place, but for a new root."""
    found = places(value)
    if not found or rng.random() < 0.02:
        return odd(rng)
    container, key = rng.choice(found)
    old = container[key]
    rng.choice((_replace, _replace, _replace, _nudge, _nudge, _remove, _other, _rename, _add))(
        rng, container, key, old, found
    )
    return value


def _replace(rng: Random, container: Any, key: Any, old: Any, found: Any) -> None:
    container[key] = odd(rng)


def _nudge(rng: Random, container: Any, key: Any, old: Any, found: Any) -> None:
    """A value of the same type close by, or the same value in another type."""
    if isinstance(old, bool) or old is None:
        container[key] = not old
    elif isinstance(old, int):
        container[key] = rng.choice((old + 1, old - 1, -old, 2 * old, float(old), str(old), [old]))
    elif isinstance(old, float):
        container[key] = rng.choice((-old, old * 1e30, old / 1e30, int(old), str(old), [old]))
    elif isinstance(old, str):
        at = rng.randrange(len(old) + 1)
        piece = rng.choice(TEXTS)
        container[key] = rng.choice((old[:at] + piece + old[at:], old[:at], old.upper(), [old]))
    elif isinstance(old, list):
        grown = [*old, *deepcopy(old[:1])]
        container[key] = rng.choice((old[:-1], grown, old[::-1], [old], dict(enumerate(old))))
    else:
        container[key] = rng.choice(([old], list(old), list(old.values())))


def _remove(rng: Random, container: Any, key: Any, old: Any, found: Any) -> None:
    del container[key]


def _other(rng: Random, container: Any, key: Any, old: Any, found: Any) -> None:
    """Two values swapped, or one in the place of another."""
    there, name = rng.choice(found)
    container[key] = deepcopy(there[name])
    if rng.random() < 0.5:
        there[name] = old


def _rename(rng: Random, container: Any, key: Any, old: Any, found: Any) -> None:
    if isinstance(container, dict):
        keys = [k for each, k in found if isinstance(each, dict)]
        container[rng.choice((*TEXTS, *keys))] = container.pop(key)
    else:
        container.insert(key, deepcopy(old))


def _add(rng: Random, container: Any, key: Any, old: Any, found: Any) -> None:
    if isinstance(container, dict):
        keys = [k for each, k in found if isinstance(each, dict)]
        container[rng.choice((*TEXTS, *keys))] = odd(rng)
    else:
        container.insert(key, odd(rng))


# As text


def written(value: Any) -> bytes:
    """As JSON that Python reads back: ASCII, with NaN and Infinity."""
    return json.dumps(value).encode()


def tree(rng: Random, data: bytes) -> bytes:
    """A JSON file with some changes to its tree."""
    value = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = change(rng, value)
    return written(value)


INSERTED = (
    *(
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"-0",
        b"01",
        b"1" * 5000,
        b"null",
        b'"\\ud800"',
        b'"\\u0000"',
    ),
    *(
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"\xef\xbb\xbf",
        b"\xff",
        b"\x00",
        b"//",
        b",",
        b"}",
        b'"',
    ),
    *(b'{"format": 1, "format": 2}', b"\xed\xa0\x80", b"'", b"\\"),
)


def text(rng: Random, data: bytes) -> bytes:
    """A piece of JSON, or of what is none, somewhere in the text, or in the place of a token."""
    piece = rng.choice(INSERTED)
    at = rng.randrange(len(data) + 1)
    if rng.random() < 0.5:
        return data[:at] + piece + data[at:]
    end = at + rng.randrange(1, 12)
    return data[:at] + piece + data[end:]


JSON = (tree, tree, tree, tree, text, raw)
