"""Measured rows: a JSON file `{"format": 1, "rows": [...]}`, and the Markdown made from it.

A row is an object of plain values. What computes rows writes them as they come, and a second call
finds them again and computes the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aquant_ref.errors import InputError
from aquant_ref.formats.atomic import check_writable_file, write_json_atomic, write_text_atomic

Row = dict[str, Any]
Needed = Mapping[str, Any]  # the keys of a row, each with its type or types

FORMAT = 1
NUMBER = (int, float)
AGAIN = "remove it and call again"


def check_output(path: Path) -> None:
    """Raise InputError, which names it, unless the table and its Markdown could be written there.

    Call it before the long work.
    """
    if path.suffix != ".json":
        raise InputError(f"--out: {str(path)!r} does not end in .json")
    for each in (path, path.with_suffix(".md")):
        check_writable_file(each)


def load(path: Path, needed: Needed) -> list[Row]:
    """The rows of the file, none if it is not there.

    Raises InputError, which names the file, if it is no such table or a row lacks what is needed.
    """
    if not path.exists():
        return []
    content = read_object(path)
    if content.get("format") != FORMAT or not isinstance(content.get("rows"), list):
        raise InputError(f"{path}: is not a table of results of format {FORMAT}")
    rows: list[Row] = content["rows"]
    for row in rows:
        check(path, row, needed)
    return rows


def read_object(path: Path) -> Row:
    """The JSON object that the file holds; raises InputError, which names the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); {AGAIN}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: is not a JSON object; {AGAIN}")
    return content


def check(path: Path, row: Any, needed: Needed) -> None:
    """Raise InputError, which names the file and the key, unless `row` has all that is needed."""
    for key, kind in needed.items():
        if not isinstance(row, dict) or key not in row:
            raise InputError(f"{path}: holds a row without {key!r}; {AGAIN}")
        if not isinstance(row[key], kind) or isinstance(row[key], bool):
            raise InputError(f"{path}: holds a row whose {key!r} is {row[key]!r}; {AGAIN}")


def save(path: Path, rows: Sequence[Row], markdown: Callable[[Sequence[Row]], str]) -> None:
    """Write the table and, beside it, what `markdown` makes of its rows.

    Raises InputError, which names the file, where that is refused.
    """
    write_json_atomic(path, {"format": FORMAT, "rows": list(rows)})
    write_text_atomic(path.with_suffix(".md"), markdown(rows))


def versions_lines(rows: Sequence[Row]) -> list[str]:
    """The versions that the rows were computed with: a line for each set of them, sorted."""
    sets = {tuple(sorted(row["versions"].items())) for row in rows}
    return [", ".join(f"{name} {value}" for name, value in each) + "." for each in sorted(sets)]
