"""The README's tables of results: every figure is the one of the committed rows."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import pytest

from aquant_ref.experiments import results
from aquant_ref.ptq.methods import Config

CLONE = Path(__file__).resolve().parent.parent
README = (CLONE / "README.md").read_text(encoding="utf-8")
# a comment that names the file of rows, then the table
TABLES = re.findall(r"<!-- results: ([\w-]+) -->\n\n((?:\|.*\n)+)", README)
DEFAULT = Config().iterations


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|\n").split("|")]


def chosen(rows: list[results.Row], name: str, bits: str, iterations: int) -> list[results.Row]:
    """The rows of METHOD or METHOD@FORM, as `aquant-ref table` takes it, one a seed."""
    method, _, form = name.partition("@")
    config = Config(method, border=form)
    border = str(config.form) if config.has_border else ""
    wanted = method, border, bits, iterations
    return [
        row
        for row in rows
        if wanted
        == (
            row["method"],
            row["border"],
            f"W{row['weight_bits']}A{row['act_bits']}",
            row["iterations"],
        )
    ]


def accuracy(rows: list[results.Row]) -> str:
    top = [100 * row["top1"] for row in rows]
    spread = f" [{min(top):.2f} .. {max(top):.2f}]" if len(top) > 1 else ""
    return f"{statistics.mean(top):.2f}{spread}"


def error(rows: list[results.Row]) -> str:
    return f"{statistics.mean(row['block_error'] for row in rows):.1f}"


def test_there_are_such_tables() -> None:
    assert {"resnet8-cifar10", "mobilenet-cifar10", "resnet8-shapes"} <= {n for n, _ in TABLES}


@pytest.mark.parametrize(("file", "table"), TABLES)
def test_every_figure_of_a_table_is_that_of_its_rows(file: str, table: str) -> None:
    rows = results.load(CLONE / "reference_models" / "results" / f"{file}.json")
    head, _, *lines = table.splitlines()
    checked = 0
    for line in lines:
        name = re.findall(r"`([\w@/-]+)`", cells(line)[0])[0]
        bits = ""
        for column, cell in zip(cells(head)[1:], cells(line)[1:], strict=True):
            if match := re.fullmatch(r"(W\d+A\d+)(?:, (\d+) iterations)?", column):
                bits, iterations = match[1], int(match[2] or DEFAULT)
                mine = chosen(rows, name, bits, iterations)
            if not cell:
                continue
            assert mine, f"{file} has no row of {name} at {bits}"
            assert cell == (error(mine) if column == "error" else accuracy(mine)), (name, bits)
            checked += 1
    assert checked
