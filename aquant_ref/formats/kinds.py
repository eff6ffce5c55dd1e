"""State the expected type of a JSON value as data, and check a value against it.

A kind is a type or a tuple of types; a mapping, for an object with at least these keys, each with
its kind; or an instance of `Each` or `ListOf`. A boolean is not an integer, and text is printable,
so that tables and messages can show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NUMBER = (int, float)


@dataclass(frozen=True)
class Each:
    """An object with arbitrary keys and values of one kind."""

    kind: Any


@dataclass(frozen=True)
class ListOf:
    """A list of at least `least` values of one kind."""

    kind: Any
    least: int = 0


def fits(value: Any, kind: Any) -> bool:
    """Return whether the value is of the kind.

    >>> fits({"a": [1, 2], "b": 3}, {"a": ListOf(int)}), fits({"a": [1, True]}, {"a": ListOf(int)})
    (True, False)
    """
    if isinstance(kind, Each):
        is_object = isinstance(value, dict) and all(map(str.isprintable, value))
        return is_object and all(fits(inner, kind.kind) for inner in value.values())
    if isinstance(kind, ListOf):
        is_list = isinstance(value, list) and len(value) >= kind.least
        return is_list and all(fits(inner, kind.kind) for inner in value)
    if isinstance(kind, Mapping):
        has_keys = isinstance(value, dict) and value.keys() >= kind.keys()
        return has_keys and all(fits(value[key], inner) for key, inner in kind.items())
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, kind) and not (isinstance(value, str) and not value.isprintable())
