"""What a value from JSON is expected to be, as data.

A kind is a type or several; a mapping, of an object that has at least these keys, each with its
kind; or one of the classes here. A boolean is no integer, and text is printable, so that a table or
a message can show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NUMBER = (int, float)


@dataclass(frozen=True)
class Each:
    """An object with any keys and values of one kind."""

    kind: Any


@dataclass(frozen=True)
class ListOf:
    """A list of values of one kind, at least so many."""

    kind: Any
    least: int = 0


def fits(value: Any, kind: Any) -> bool:
    """Whether the value is of the kind.

    >>> fits({"a": [1, 2], "b": 3}, {"a": ListOf(int)}), fits({"a": [1, True]}, {"a": ListOf(int)})
    (True, False)
    """
    if isinstance(kind, Each):
        has = isinstance(value, dict) and all(map(str.isprintable, value))
        return has and all(fits(inner, kind.kind) for inner in value.values())
    if isinstance(kind, ListOf):
        has = isinstance(value, list) and len(value) >= kind.least
        return has and all(fits(inner, kind.kind) for inner in value)
    if isinstance(kind, Mapping):
        has = isinstance(value, dict) and value.keys() >= kind.keys()
        return has and all(fits(value[key], inner) for key, inner in kind.items())
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, kind) and not (isinstance(value, str) and not value.isprintable())
