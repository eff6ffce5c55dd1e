"""Measured rows: a JSON file `{"format": 1, "rows": [...]}`, and the Markdown made from it.

A row is an object of plain values; its "key" names all that it was computed from. What computes
rows adds them as they come, and a second call finds them again and computes the rest. Several
processes may add to one table at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
Needed = Mapping[str, Any]  # the keys of a row, each with its kind

FORMAT = 1
PLAIN = (str, int, type(None))
VERSIONS = Each(str)
ORIGIN = ("model", "data", "weights_sha256", "data_identity", "edition")
AGAIN = "remove it and call again"


def check_output(path: Path) -> None:
    """Raise InputError, which names it, unless the table and its Markdown could be written there.

    Call it before the long work.
    """
    if path.suffix != ".json":
        raise InputError(f"--out: {str(path)!r} does not end in .json")
    for each in (path, path.with_suffix(".md")):
        check_writable_file(each)
    check_writable_directory(path.parent, lock=True)


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
        content = read_json(path)
    except InputError as error:
        raise InputError(f"{error}; {AGAIN}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: is not a JSON object; {AGAIN}")
    return content


def check(path: Path, row: Any, needed: Needed) -> None:
    """Raise InputError, which names the file and the key, unless `row` has all that is needed, and
    what it has of ORIGIN is plain.
    """
    origin = {name: PLAIN for name in ORIGIN if isinstance(row, dict) and name in row}
    for key, kind in {**origin, **needed}.items():
        if not isinstance(row, dict) or key not in row:
            raise InputError(f"{path}: holds a row without {key!r}; {AGAIN}")
        if not fits(row[key], kind):
            raise InputError(f"{path}: holds a row whose {key!r} is {row[key]!r}; {AGAIN}")


def in_order(rows: Iterable[Row]) -> list[Row]:
    """The rows as they come, of those with one key the last."""
    return list({row["key"]: row for row in rows}.values())


class Table:
    """The rows of the file `path`, or only in memory where that is None.

    `load` reads them, `markdown` makes the text beside the file, and `arrange` orders all rows, one
    for each key. Raises InputError, before any work, for a file that could not be written.
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
        """The rows by key, as they are now.

        Raises InputError, which names the file, for rows that `load` refuses or that do not make a
        table.
        """
        if self.path is not None:
            self._rows = self._load(self.path)
            try:
                if self._rows:
                    self._markdown(self._arrange(self._rows))
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                raise InputError(
                    f"{self.path}: holds rows of odd values ({error}); {AGAIN}"
                ) from error
        return {row["key"]: row for row in self._rows}

    def add(self, rows: Iterable[Row]) -> None:
        """Write `rows` beside those that the file has by now, and the Markdown of all.

        Raises InputError, which names the file, where that is refused.
        """
        if self.path is None:
            self._rows = self._arrange([*self._rows, *rows])
            return
        with locked(self.path):
            stored = list(self.read().values())
            self._rows = self._arrange([*stored, *rows])
            if self._rows != stored or not self.path.exists():
                write_json_atomic(self.path, {"format": FORMAT, "rows": self._rows})
            self._write_markdown(self.path.with_suffix(".md"), self._markdown(self._rows))

    def _write_markdown(self, path: Path, text: str) -> None:
        if not (path.exists() and path.read_bytes() == text.encode()):
            write_text_atomic(path, text)


def by_origin(one: Callable[[Sequence[Row]], str]) -> Callable[[Sequence[Row]], str]:
    """`one`, the text of rows with one origin, for any rows: a text for each, and which it is."""

    def of_all(rows: Sequence[Row]) -> str:
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            groups.setdefault(tuple(row.get(name) for name in ORIGIN), []).append(row)
        if len(groups) == 1:
            return one(rows)
        return "\n".join(f"{one(group)}\n{_of_origin(group[0])}\n" for group in groups.values())

    return of_all


def _of_origin(row: Row) -> str:
    weights = str(row.get("weights_sha256"))[:12]
    return f"Weights `{weights}`, data `{row.get('data_identity')}`, edition {row.get('edition')}."


def versions_lines(rows: Sequence[Row]) -> list[str]:
    """The versions that the rows were computed with: a line for each set of them, sorted."""
    sets = {tuple(sorted(row["versions"].items())) for row in rows}
    return [", ".join(f"{name} {value}" for name, value in each) + "." for each in sorted(sets)]
