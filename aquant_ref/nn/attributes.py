"""Define the attributes of operations: how each is checked, and its default.

An attribute keeps the form in which it is written, except that numpy's integers become Python's; so
equal nodes have equal digests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aquant_ref.checks import flag, integer, number, shown
from aquant_ref.errors import InputError, nearest
from aquant_ref.integer import geometry

REQUIRED = object()  # the default of an attribute that must be given


@dataclass(frozen=True)
class Attribute:
    """Define an attribute: `check(name, value)` returns the value to keep, or raises InputError."""

    check: Callable[[str, Any], Any]
    default: Any = REQUIRED


def _plain(value: Any) -> Any:
    """Replace numpy's integers in lists and tuples by Python's."""
    return type(value)(map(_plain, value)) if isinstance(value, tuple | list) else int(value)


def _pair(name: str, value: Any) -> Any:
    geometry.pair(name, value)
    return _plain(value)


def _padding(_name: str, value: Any) -> Any:
    geometry.sides(value)
    return _plain(value)


def _channels(name: str, value: Any) -> int:
    return integer(name, value, 1, geometry.LARGEST_CHANNELS)


def _eps(name: str, value: Any) -> float:
    return number(name, value, above=True)


def _alpha(name: str, value: Any) -> float:
    return number(name, value, 0, 1)


CHANNELS = Attribute(_channels)
GROUPS = Attribute(_channels, 1)
KERNEL = Attribute(_pair)
STRIDE = Attribute(_pair, 1)
POOL_STRIDE = Attribute(lambda name, value: value if value is None else _pair(name, value), None)
PADDING = Attribute(_padding, 0)
FLAG = Attribute(flag, True)


def eps(default: float) -> Attribute:
    """Define the number that batch norm adds to the variance: finite and above 0."""
    return Attribute(_eps, default)


def alpha(default: float) -> Attribute:
    """Define the slope of a leaky ReLU below zero: from 0 to 1."""
    return Attribute(_alpha, default)


def checked(
    node: str, op: str, given: Mapping[str, Any], known: Mapping[str, Attribute]
) -> dict[str, Any]:
    """Check the attributes `given` to `node`, and return them; add no defaults.

    Raise InputError, which names the node, for an attribute that `op` does not have, an invalid
    value, or a missing attribute without a default.
    """
    has = ", ".join(known) or "none"
    for name in given:
        if name not in known:
            raise InputError(
                f"{node}: {op} has no attribute {shown(name)}; it has {has}{nearest(name, known)}"
            )
    for name, attribute in known.items():
        if name not in given and attribute.default is REQUIRED:
            raise InputError(f"{node}: {op} needs {name}; its attributes are {has}")
    try:
        return {name: known[name].check(name, value) for name, value in given.items()}
    except InputError as error:
        raise InputError(f"{node}: {error}") from error
