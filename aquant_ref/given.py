"""Words of a command line: numbers and lists, as they are written and not as Python takes them.

Python's `int` takes `1_000`, digits of other scripts and spaces; a command line takes none of them.
"""

from __future__ import annotations

import argparse
import re

from aquant_ref.errors import InputError, printable

INTEGER = re.compile(r"[+-]?[0-9]{1,40}")  # what is too large for its use is refused there
NUMBER = re.compile(r"[-+.0-9a-z]{1,40}", re.I)
MOST_SHOWN = 60  # characters of a word in a message


class BadWord(InputError, argparse.ArgumentTypeError):
    """A word that is not what it should be: argparse shows the message as it is."""


def integer(text: str) -> int:
    """Parse an integer; raises InputError, which shows what was given."""
    if not INTEGER.fullmatch(text):
        shown = printable(repr(text), MOST_SHOWN)
        raise BadWord(f"needs an integer such as 8, got {shown}")
    return int(text)


def number(text: str) -> float:
    """Parse a number, also nan or infinite; raises InputError, which shows what was given."""
    try:
        if NUMBER.fullmatch(text):
            return float(text)
    except ValueError:
        pass
    raise BadWord(f"needs a number such as 2.5, got {printable(repr(text), MOST_SHOWN)}")


def words(name: str, text: str) -> tuple[str, ...]:
    """Split words at commas; each may occur once.

    Raises InputError, which begins with the `name` of the option, if one is empty or there twice.
    """
    found = tuple(text.split(","))
    for word in found:
        if not word:
            raise InputError(f"{name}: {printable(repr(text), MOST_SHOWN)} has an empty place")
        if found.count(word) > 1:
            raise InputError(f"{name}: has {printable(repr(word), MOST_SHOWN)} twice")
    return found


def integers(name: str, text: str) -> tuple[int, ...]:
    """Split integers at commas; each may occur once.

    Raises InputError, which begins with the `name` of the option, if that is not what it is.
    """
    try:
        found = tuple(integer(word) for word in text.split(","))
    except InputError as error:
        shown = printable(repr(text), MOST_SHOWN)
        raise InputError(f"{name}: {shown} is not a list of integers such as 0,1,2") from error
    for each in found:
        if found.count(each) > 1:
            raise InputError(f"{name}: has {each} twice")
    return found
