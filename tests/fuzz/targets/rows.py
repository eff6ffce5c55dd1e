"""Doors for tables of results: what is read again when a command goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aquant_ref.experiments import exactness, fraction_bits
from aquant_ref.experiments import table as results
from aquant_ref.formats import measured
from tests.fuzz.mutate import values
from tests.fuzz.target import Target, Wrong

CLONE = Path(__file__).resolve().parents[3]
STORED = CLONE / "reference_models" / "results"


def first_rows(path: Path, count: int = 3) -> bytes:
    """A stored table, with fewer rows."""
    table = measured.read_object(path)
    return values.written({**table, "rows": table["rows"][:count]})


def _table() -> dict[str, bytes]:
    return {"resnet8": first_rows(STORED / "resnet8-shapes.json")}


def resumed(open_table: Callable[[Path], measured.Table]) -> Callable[[Path], None]:
    """The door to a table: read it as a command does that goes on, write all of it, read that."""

    def load(path: Path) -> None:
        table = open_table(path)
        rows = table.read()
        if not rows:
            return
        table.add(())
        if open_table(path).read() != rows:
            raise Wrong("the table that is saved and loaded is another one")

    return load


def load_cell(path: Path) -> None:
    """Read the file of a cell, under the name that it says."""
    results.load_row(path)


def _cell() -> dict[str, bytes]:
    row = dict(measured.read_object(STORED / "resnet8-shapes.json")["rows"][0])
    return {"row": values.written({**row, "key": "case"})}


def _stored(folder: str) -> Callable[[], dict[str, bytes]]:
    return lambda: {p.stem: first_rows(p) for p in sorted((STORED / folder).glob("*.json"))[:2]}


def _exact(path: Path) -> measured.Table:
    return measured.Table(path, exactness.load, exactness.markdown)


def _fixed_point(path: Path) -> measured.Table:
    return measured.Table(path, fraction_bits.load, fraction_bits.markdown)


TARGETS = (
    Target("results-table", _table, values.JSON, resumed(results.table), ".json", quick=40),
    Target("results-cell", _cell, values.JSON, load_cell, ".json", quick=40),
    Target("results-exact", _stored("exact"), values.JSON, resumed(_exact), ".json", quick=40),
    Target(
        "results-fixed-point",
        _stored("fixed_point"),
        values.JSON,
        resumed(_fixed_point),
        ".json",
        quick=40,
    ),
)
