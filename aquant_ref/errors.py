"""The exceptions that mean "your input", as opposed to a defect of ours."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches

MOST_QUOTED = 60  # characters of what was given
LONGEST = 2000  # characters of a message: it may quote what a stranger wrote


def printable(text: str, most: int | None = None) -> str:
    """Return the text as one line that a terminal, XML, HTML and JSON take as it is.

    Control characters, ends of lines, surrogates, marks that reverse the direction and whatever
    else does not print are written as Python's escapes; with `most`, what is longer is cut to that
    many characters. What was printable already stays as it is.

    >>> printable("\\x1b[31mred\\x07")
    '\\\\x1b[31mred\\\\x07'
    >>> printable("far too long", most=8)
    'far t...'
    """
    short = text if most is None else text[: most + 1]  # the rest is not worth the work
    if not short.isprintable():
        short = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short)
    return short if most is None or len(short) <= most else short[: max(most - 3, 0)] + "..."


def counted(number: int, one: str, several: str = "", form: str = "") -> str:
    """Return a number of things in words; `form` is how to format the number.

    >>> counted(1, "tensor"), counted(12, "try", "tries"), counted(1200, "step", form=",")
    ('1 tensor', '12 tries', '1,200 steps')
    """
    return f"{number:{form}} {one if number == 1 else several or one + 's'}"


def nearest(given: object, known: Iterable[str], cutoff: float = 0.5) -> str:
    """Ask whether the `known` word nearest to `given` was meant; "" where none is near.

    `cutoff` is how near it has to be: 1 is the same word.

    >>> nearest("AQuant", ["rtn", "aquant"]), nearest("magic", ["rtn", "aquant"])
    (" (did you mean 'aquant'?)", '')
    """
    if not isinstance(given, str):
        return ""
    folded = {word.casefold(): word for word in known if word}
    near = get_close_matches(given[:MOST_QUOTED].casefold(), folded, 1, cutoff)
    return f" (did you mean {folded[near[0]]!r}?)" if near else ""


def unknown(kind: str, given: object, known: Iterable[str]) -> str:
    """Say that no `kind` is called `given`, what there is, and which of it may have been meant.

    >>> unknown("method", "AQuant", ["rtn", "aquant"])
    "unknown method 'AQuant'; choose from rtn, aquant (did you mean 'aquant'?)"
    """
    words = [word for word in known if word]
    shown = printable(repr(given), MOST_QUOTED)
    return f"unknown {kind} {shown}; choose from {', '.join(words)}{nearest(given, words)}"


def install(extra: str) -> str:
    """Return the command that installs what an optional part needs.

    >>> install("onnx")
    "pip install 'aquant-ref[onnx]' (in a clone '.[onnx]')"
    """
    return f"pip install 'aquant-ref[{extra}]' (in a clone '.[{extra}]')"


class InputError(ValueError):
    """Bad input from the user: one line that names the file, layer or argument, and what is wrong
    with it.

    The line is one whatever it quotes: control characters are escaped, and its end is cut off where
    it is long.

    >>> print(InputError("a.npz: what a library says\\nin two lines, \\x1b[31mand in red"))
    a.npz: what a library says in two lines, \\x1b[31mand in red
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(" ".join(message.split("\n")), LONGEST))


def check_text(what: str, text: str) -> None:
    """Raise InputError, which begins with `what`, unless the text is a name that results can hold.

    Results name what they were given, in JSON and tables, which are in UTF-8.

    >>> check_text("weights", "caf\\udce9.npz")
    Traceback (most recent call last):
    aquant_ref.errors.InputError: weights: 'caf\\udce9.npz' is not in UTF-8
    """
    if not isinstance(text, str):
        raise InputError(f"{what}: needs text, got {type(text).__name__}")
    if "\0" in text:
        raise InputError(f"{what}: {text!r} holds a null character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{what}: {text!r} is not in UTF-8") from error


def check_name(what: str, text: str) -> None:
    """Raise InputError as `check_text` does, and for a name that is empty or blank."""
    check_text(what, text)
    if not text.strip():
        raise InputError(f"{what}: is an empty name")


def check_path(value: object) -> None:
    """Raise InputError unless `value` is text or a path; a number would be an open file."""
    if not isinstance(value, str | os.PathLike):
        got = printable(repr(value), MOST_QUOTED)
        raise InputError(f"path: needs the name of a file, got {got}")


class AccumulatorOverflow(InputError, OverflowError):
    """An accumulator can leave its integer type; the message names the layer and the bound."""
