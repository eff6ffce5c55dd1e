"""Show a result in one line, as rows, as a table of text, and as HTML in a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from html import escape
from typing import Any

Row = dict[str, Any]


class Tabular(ABC):
    """A result that is a table: `rows()` says what is in it, `title()` what it is in one line.

    `rows()` is a list of dictionaries with the same keys, as `pandas.DataFrame` takes it.
    """

    @abstractmethod
    def rows(self) -> list[Row]:
        """Return the table, a dictionary a row."""

    @abstractmethod
    def title(self) -> str:
        """Say in a few words what this is."""

    def summary(self) -> str:
        """Return the table as text, its columns aligned."""
        return text(self.rows())

    def __repr__(self) -> str:
        try:
            return f"<{self.title()}>"
        except Exception:  # put together by hand, of parts that do not fit
            return object.__repr__(self)

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.title())}</p>\n{html(self.rows())}"


def text(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text below their keys; numbers end their columns; "" for no rows.

    >>> print(text([{"tensor": "relu", "codes": 8}, {"tensor": "x", "codes": 128}]))
    tensor  codes
    relu        8
    x         128
    """
    if not rows:
        return ""
    head, *body = _cells(rows)
    numbers = [all(isinstance(row[key], int | float) for row in rows) for key in head]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers, strict=True)
        ).rstrip()
        for row in (head, *body)
    )


def html(rows: Sequence[Row]) -> str:
    """Return the rows as an HTML table; whatever a file calls its layers is escaped.

    >>> print(html([{"tensor": "<b>"}]))
    <table><tr><th>tensor</th></tr>
    <tr><td>&lt;b&gt;</td></tr></table>
    """
    if not rows:
        return ""
    head, *body = _cells(rows)
    lines = [_line("th", head), *(_line("td", row) for row in body)]
    return "<table>" + "\n".join(lines) + "</table>"


def _line(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    """Write the keys, and the values of each row, as text."""
    return [list(rows[0]), *([_written(value) for value in row.values()] for row in rows)]


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)
