"""Read text, JSON and TOML from outside, within the limits of `untrusted`."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from typing import Any

from aquant_ref.errors import InputError, install
from aquant_ref.formats.untrusted import (
    DEEPEST,
    MOST_DIGITS,
    MOST_DOTS,
    MOST_TEXT,
    MOST_TOML,
    PathLike,
    check_size,
    read_file,
)

if sys.version_info >= (3, 11):
    import tomllib
else:  # the extra "conformance" brings it
    try:
        import tomli as tomllib
    except ImportError:
        tomllib = None

_LONG_INTEGER = re.compile(rf"\d{{{MOST_DIGITS + 1}}}")


def read_text(path: PathLike, *, most: int = MOST_TEXT) -> str:
    """Return the UTF-8 text of the regular file `path`; raise InputError, which names it."""
    try:
        return read_file(path, most=most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not text in UTF-8 ({error.reason})") from error


def parse_json(text: str | bytes, what: str) -> Any:
    """Return the value of the JSON `text`.

    Every number is finite, every key of an object is unique, and every string can be written as
    UTF-8. Raises InputError, which begins with `what`.
    """
    try:
        check_size(len(text), MOST_TEXT)
        text = text if isinstance(text, str) else text.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_float,
            parse_int=_integer if _LONG_INTEGER.search(text) else None,
            parse_constant=_no_constant,
        )
        _check_depth(value)
        if re.search(r"\\u[dD][89a-fA-F]", text):
            _check_strings(value)
    except RecursionError as error:
        raise InputError(f"{what}: is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{what}: is not text in UTF-8 ({error.reason})") from error
    except InputError as error:
        raise InputError(f"{what}: {error}") from error
    except ValueError as error:
        raise InputError(f"{what}: cannot be read as JSON ({error})") from error
    return value


def read_json(path: PathLike, *, most: int = MOST_TEXT) -> Any:
    """Return the value of the JSON file `path` as `parse_json` does; raise InputError."""
    return parse_json(read_text(path, most=most), str(path))


def read_toml(path: PathLike) -> dict[str, Any]:
    """Return the table of the TOML file `path`; raise InputError, which names it."""
    if tomllib is None:
        raise InputError(f"{path}: to read TOML with Python 3.10, {install('conformance')}")
    text = read_text(path, most=MOST_TOML)
    try:
        if any(line.count(".") > MOST_DOTS for line in text.splitlines()):
            raise InputError(f"has a line with more than {MOST_DOTS} dots")
        table = tomllib.loads(text)
        _check_depth(table)
    except RecursionError as error:
        raise InputError(f"{path}: is nested too deeply") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except ValueError as error:
        raise InputError(f"{path}: cannot be read as TOML ({error})") from error
    return table


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        key, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise InputError(f"has {key!r} twice in one object")
    return value


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise InputError(f"has an integer of {len(digits)} digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if abs(value) == float("inf"):
        raise InputError(f"has a number beyond float64, {digits[:20]}")
    return value


def _no_constant(name: str) -> None:
    raise InputError(f"has {name}, which is not JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [each for each in level if isinstance(each, (list, dict))]
        if not level:
            return
        level = [i for each in level for i in (each.values() if isinstance(each, dict) else each)]
    raise InputError("is nested too deeply")


def _check_strings(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError("has half a surrogate pair in a string") from error
