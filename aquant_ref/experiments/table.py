"""Rows of finished runs: a JSON file a model and data set, and the Markdown made from it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from aquant_ref.errors import InputError
from aquant_ref.experiments.paired import difference
from aquant_ref.formats import measured
from aquant_ref.formats.kinds import NUMBER
from aquant_ref.ptq.methods import END_TO_END, METHODS, method_name

Row = measured.Row
BASELINES = ("qdrop", "qdrop-bias")  # what the others are compared with, seed by seed

NEEDED: dict[str, Any] = {
    "key": str,
    "model": str,
    "data": str,
    "method": str,
    "weight_bits": int,
    "act_bits": int,
    "border": str,
    "seed": int,
    "top1": NUMBER,
    "float_top1": NUMBER,
    "block_error": (*NUMBER, type(None)),
    "tested": int,
    "seconds": NUMBER,
    "iterations": int,
    "images": int,
    "versions": measured.VERSIONS,
}


def load(path: Path) -> list[Row]:
    """Load the rows of the file, none if it is not there; raises InputError, which names it."""
    rows = measured.load(path, NEEDED)
    for row in rows:
        _check_method(path, row)
    return rows


def load_row(path: Path) -> Row:
    """Load the one row of a cell's file `<key>.json`; raises InputError, which names it."""
    with measured.advice(measured.OWN):
        row = measured.read_object(path)
        measured.check(path, row, NEEDED)
        _check_method(path, row)
        if row["key"] != path.stem:
            raise InputError(f"{path}: holds the cell {row['key']!r}")
    return row


def _check_method(path: Path, row: Row) -> None:
    try:
        method_name(row["method"])
    except InputError as error:
        message = f"{path}: holds a row of an unknown method {row['method']!r}"
        raise InputError(message) from error


def arrange(rows: Iterable[Row]) -> list[Row]:
    """Sort the rows; of rows with the same key, keep the last."""
    return sorted(measured.in_order(rows), key=_order)


def _order(row: Row) -> tuple[Any, ...]:
    methods = list(METHODS)
    return (
        -row["weight_bits"] if row["weight_bits"] == 32 else row["weight_bits"],
        row["act_bits"],
        methods.index(row["method"].removesuffix(END_TO_END)),
        _method(row),
        row["border"],
        row["iterations"],
        row["images"],
        row["seed"],
    )


def table(path: Path) -> measured.Table:
    """Open the table in that file; raises InputError if it could not be written."""
    return measured.Table(path, load, markdown, arrange)


@measured.by_origin
def markdown(rows: Sequence[Row]) -> str:
    """Format the table: for each bits and method the mean top-1 over seeds, its spread, ..."""
    first = rows[0]
    lines = [
        f"# {first['model']} on {first['data']}",
        "",
        f"Top-1 in %, float {100 * first['float_top1']:.2f} %. *Spread* is the lowest and the "
        "highest seed. *Error* is the squared error of the last learned block's output, summed "
        "over channels, mean over images and positions of the calibration set, mean over seeds. "
        "*Seconds* are those of learning on one core, the first pass included, mean over seeds.",
    ]
    for bits in dict.fromkeys(_bits(row) for row in rows):
        lines += [
            "",
            f"## {bits}",
            "",
            "| method | border | top-1 | spread | seeds | error | iterations | calibrated on "
            "| tested on | seconds |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        group = [row for row in rows if _bits(row) == bits]
        for name in dict.fromkeys(_name(row) for row in group):
            lines.append(_line([row for row in group if _name(row) == name]))
        lines += _paired(group)
    return "\n".join([*lines, "", *measured.versions_lines(rows), ""])


def _paired(group: Sequence[Row]) -> list[str]:
    """Return the table of paired differences to the `BASELINES`; none without pairs."""
    lines = []
    for name in dict.fromkeys(_name(row) for row in group):
        rows = [row for row in group if _name(row) == name]
        found = [
            None if rows[0]["method"] == method else difference(rows, _like(group, name, method))
            for method in BASELINES
        ]
        if rows[0]["method"] != BASELINES[0] and any(found):
            seeds = next(each.seeds for each in found if each)
            numbers = (str(rows[0]["iterations"]), ", ".join(map(str, seeds)))
            differences = ("" if each is None else str(each) for each in found)
            cells = (_method(rows[0]), rows[0]["border"], *numbers, *differences)
            lines.append(f"| {' | '.join(cells)} |")
    if not lines:
        return []
    against = " | ".join(f"minus `{method}`" for method in BASELINES)
    return [
        "",
        "Paired differences of top-1, in points, with standard errors over the seeds:",
        "",
        f"| method | border | iterations | seeds | {against} |",
        "|---|---|---|---|---|---|",
        *lines,
    ]


def _like(group: Sequence[Row], name: tuple[Any, ...], method: str) -> list[Row]:
    """Return the rows of a baseline with the iterations, images and tested images of `name`."""
    return [row for row in group if _name(row) == (f"`{method}`", "", *name[2:])]


def _bits(row: Row) -> str:
    return f"W{row['weight_bits']}A{row['act_bits']}"


def _name(row: Row) -> tuple[Any, ...]:
    return _method(row), row["border"], row["iterations"], row["images"], row["tested"]


def _method(row: Row) -> str:
    """Name the method, and the settings of its official code where a row has them."""
    more = [f" {key} {row[key]}" for key in ("mixing", "search") if key in row]
    return f"`{row['method']}`" + "".join(more)


def _line(rows: Sequence[Row]) -> str:
    top = [100 * row["top1"] for row in rows]
    errors = [row["block_error"] for row in rows if row["block_error"] is not None]
    seconds = statistics.mean(row["seconds"] for row in rows)
    cells = (
        _method(rows[0]),
        rows[0]["border"],
        f"{statistics.mean(top):.2f}",
        f"{min(top):.2f} .. {max(top):.2f}" if len(top) > 1 else "",
        ", ".join(str(row["seed"]) for row in rows),
        f"{statistics.mean(errors):.3g}" if errors else "",
        str(rows[0]["iterations"]),
        str(rows[0]["images"]),
        str(rows[0]["tested"]),
        f"{seconds:.0f}",
    )
    return f"| {' | '.join(cells)} |"
