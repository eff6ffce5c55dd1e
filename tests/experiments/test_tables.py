"""Whatever a table's file holds: its rows can be merged and shown, or one line names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.errors import InputError
from aquant_ref.experiments import exactness, fraction_bits
from aquant_ref.experiments import table as results
from aquant_ref.formats import measured

RESULTS = Path(__file__).resolve().parents[2] / "reference_models" / "results"


def shown(path: Path) -> str:
    return results.markdown(results.arrange(results.load(path)))


def one_cell(path: Path) -> str:
    return results.markdown([results.load_row(path)])


# Each table: a file of it that was measured, and what is done with one.
TABLES: dict[str, tuple[Path, Callable[[Path], str]]] = {
    "table": (RESULTS / "resnet8-shapes.json", shown),
    "exact": (
        RESULTS / "exact" / "resnet8-shapes.json",
        lambda path: exactness.markdown(exactness.load(path)),
    ),
    "fixed-point": (
        RESULTS / "fixed_point" / "resnet8-shapes.json",
        lambda path: fraction_bits.markdown(fraction_bits.load(path)),
    ),
}
each_table = pytest.mark.parametrize("table", TABLES)

DEEP = "[" * 2000 + "]" * 2000
ODD = [
    "null", "true", "0", "-1", "0.5", "1e308", "1e999", "-1e999", "NaN", "Infinity", "9" * 299,
    "9" * 5000, '""', '"text"', '"a\\nb"', '"\\u001b[31m"', '"\\u2028"', r'"\ud800"', "[]", "[1]",
    '["a"]', "{}", '{"numpy": ["2"]}', '{"numpy": 2, "scipy": "1"}', '{"a\\nb": "1"}',
    '{"engine": "1"}', '{"engine": 0.5, "ideal": []}', '{"": ""}', DEEP,
]  # fmt: skip


def stored_row(table: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(TABLES[table][0].read_text(encoding="utf-8"))["rows"][0]
    return row


def shown_or_refused(path: Path, show: Callable[[Path], str]) -> bool:
    """Whether the table is shown, in lines as wide as a page; else one line says why not."""
    try:
        text = show(path)
    except InputError as error:
        assert str(error).startswith(str(path.parent))  # noqa: PT017 - either outcome is right
        assert str(error).isprintable()  # noqa: PT017
        return False
    assert text.encode("utf-8")
    assert all(line.isprintable() for line in text.split("\n"))
    return True


@each_table
def test_a_row_with_an_odd_value_under_any_key_is_shown_or_refused(
    table: str, tmp_path: Path
) -> None:
    """Past bugs: a list as versions, 1e999 and half a surrogate pair were tracebacks."""
    path, (_, show) = tmp_path / "rows.json", TABLES[table]
    row = stored_row(table)
    path.write_text(json.dumps({"format": 1, "rows": [row]}), encoding="utf-8")
    assert shown_or_refused(path, show)
    refused = 0
    for key in {*row, *measured.ORIGIN}:
        whole = json.dumps({"format": 1, "rows": [{**row, key: "HERE"}, row]})
        for odd in ODD:
            path.write_text(whole.replace('"HERE"', odd), encoding="utf-8")
            refused += not shown_or_refused(path, show)
        path.write_text(json.dumps({"format": 1, "rows": [{**row, key: None}, {}]}), "utf-8")
        assert not shown_or_refused(path, show)
    assert refused > len(row) * len(ODD) / 3


@each_table
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "rows": [5]}',
    '{"format": 1, "rows": {"a": 1}}', '{"format": 2, "rows": []}', '{"format": [], "rows": []}',
    "\x00", "1", "null", DEEP,
    '{"format": 1, "rows": [[]]}', '{"format": 1, "rows": [], "rows": []}',
])  # fmt: skip
def test_a_file_that_is_no_table_is_refused(table: str, text: str, tmp_path: Path) -> None:
    path, (_, show) = tmp_path / "rows.json", TABLES[table]
    path.write_text(text, encoding="utf-8")
    assert not shown_or_refused(path, show)


def test_a_cell_with_an_odd_value_under_any_key_is_shown_or_refused(tmp_path: Path) -> None:
    path, row = tmp_path / "key.json", {**stored_row("table"), "key": "key"}
    path.write_text(json.dumps(row), encoding="utf-8")
    assert shown_or_refused(path, one_cell)
    for key in row:
        whole = json.dumps({**row, key: "HERE"})
        for odd in ODD:
            path.write_text(whole.replace('"HERE"', odd), encoding="utf-8")
            shown_or_refused(path, one_cell)
