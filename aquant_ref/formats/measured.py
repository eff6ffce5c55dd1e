"""Store measured rows in a JSON file `{"format": 1, "rows": [...]}`, with Markdown beside it.

A row is an object of plain values; its "key" identifies all inputs of its computation. A command
adds each row as soon as it is computed, so an interrupted command resumes where it stopped. Several
processes may add to one table at the same time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aquant_ref.errors import InputError
from aquant_ref.formats.atomic import (
    check_writable_directory,
    check_writable_file,
    write_json_atomic,
    write_text_atomic,
)
from aquant_ref.formats.kinds import Each, fits
from aquant_ref.formats.lock import locked
from aquant_ref.formats.text import read_json

Row = dict[str, Any]
Needed = Mapping[str, Any]  # the keys that a row must have, each with its kind

FORMAT = 1
PLAIN = (str, int, type(None))
VERSIONS = Each(str)
ORIGIN = ("model", "data", "weights_sha256", "data_identity", "edition")
# What to do about a file that cannot be read: one that a command keeps for itself, and a table,
# whose rows may belong to another command.
OWN = "remove it and repeat the command"
TABLE = "give --out another name, or remove the file if nobody needs it"


def check_output(path: Path) -> None:
    """Raise InputError, which names the file, unless the table and its Markdown can be written.

    Call this function before the long work.
    """
    if path.suffix != ".json":
        raise InputError(f"out: {str(path)!r} does not end in .json")
    for each in (path, path.with_suffix(".md")):
        check_writable_file(each)
    check_writable_directory(path.parent, lock=True)


def load(path: Path, needed: Needed) -> list[Row]:
    """Read the rows of the file; return none if it does not exist.

    Raises InputError, which names the file, if it is not such a table, or if a row lacks a key of
    `needed` or has a value of another kind.
    """
    if not os.path.exists(path):
        return []
    with advice(TABLE):
        content = read_object(path)
        if content.get("format") != FORMAT or not isinstance(content.get("rows"), list):
            raise InputError(f"{path}: is not a table of results of format {FORMAT}")
        rows: list[Row] = content["rows"]
        for row in rows:
            check(path, row, needed)
    return rows


@contextmanager
def advice(what: str) -> Iterator[None]:
    """Add `what` to do to every InputError of the block."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{error}; {what}") from error


def read_object(path: Path) -> Row:
    """Read the JSON object of the file; raise InputError, which names the file."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: is not a JSON object")
    return content


def check(path: Path, row: Any, needed: Needed) -> None:
    """Raise InputError, which names the file and the key, unless `row` has all of `needed`.

    The keys of ORIGIN are optional, but must have plain values.
    """
    origin = {name: PLAIN for name in ORIGIN if isinstance(row, dict) and name in row}
    for key, kind in {**origin, **needed}.items():
        if not isinstance(row, dict) or key not in row:
            raise InputError(f"{path}: holds a row without {key!r}")
        if not fits(row[key], kind):
            raise InputError(f"{path}: holds a row whose {key!r} is {row[key]!r}")


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Return the rows in order of first occurrence; of rows with the same key, the last one."""
    return list({row["key"]: row for row in rows}.values())


class Table:
    """The rows of the file `path`, or of memory if `path` is None.

    `load` reads the file and checks every value that `markdown` shows. `markdown` makes the text
    beside the file. `arrange` orders the rows and keeps one for each key. Raises InputError, before
    any work, if the file cannot be written.
    """

    def __init__(
        self,
        path: Path | None,
        load: Callable[[Path], list[Row]],
        markdown: Callable[[Sequence[Row]], str],
        arrange: Callable[[Iterable[Row]], list[Row]] = in_order,
    ) -> None:
        self.path = path
        self._load = load
        self._markdown = markdown
        self._arrange = arrange
        self._rows: list[Row] = []
        if path is not None:
            check_output(path)

    def read(self) -> dict[str, Row]:
        """Return the current rows by key; raise InputError for rows that `load` refuses."""
        if self.path is not None:
            self._rows = self._load(self.path)
        return {row["key"]: row for row in self._rows}

    def add(self, rows: Iterable[Row]) -> None:
        """Add `rows` to those that the file has by now, and write the Markdown of all rows.

        Raises InputError, which names the file, if it cannot be read or written.
        """
        if self.path is None:
            self._rows = self._arrange([*self._rows, *rows])
            return
        with locked(self.path):
            stored = list(self.read().values())
            self._rows = self._arrange([*stored, *rows])
            if self._rows != stored or not os.path.exists(self.path):
                write_json_atomic(self.path, {"format": FORMAT, "rows": self._rows})
            self._write_markdown(self.path.with_suffix(".md"), self._markdown(self._rows))

    def _write_markdown(self, path: Path, text: str) -> None:
        if not (os.path.exists(path) and path.read_bytes() == text.encode()):
            write_text_atomic(path, text)


def by_origin(one: Callable[[Sequence[Row]], str]) -> Callable[[Sequence[Row]], str]:
    """Extend `one`, the text of rows with one origin, to any rows: one text for each origin."""

    def text(rows: Sequence[Row]) -> str:
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            groups.setdefault(tuple(row.get(name) for name in ORIGIN), []).append(row)
        if len(groups) == 1:
            return one(rows)
        return "\n".join(f"{one(group)}\n{_of_origin(group[0])}\n" for group in groups.values())

    return text


def _of_origin(row: Row) -> str:
    weights = str(row.get("weights_sha256"))[:12]
    return f"Weights `{weights}`, data `{row.get('data_identity')}`, edition {row.get('edition')}."


def versions_lines(rows: Sequence[Row]) -> list[str]:
    """Return a line for each set of package versions that computed the rows, sorted."""
    sets = {tuple(sorted(row["versions"].items())) for row in rows}
    return [", ".join(f"{name} {value}" for name, value in each) + "." for each in sorted(sets)]
