"""The map in the README, from equations to notebooks: every place that it names is there."""

from __future__ import annotations

import inspect
import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

CLONE = Path(__file__).resolve().parent.parent
README = (CLONE / "README.md").read_text(encoding="utf-8")
SPEC = (CLONE / "aquant_ref" / "SPEC.md").read_text(encoding="utf-8")
CHAPTERS = {"ROUND", "AFFINE", "BORDER", "WINDOW", "FEEDBACK"} | {
    *("AROUND", "FIXED", "LOWER", "SNAP", "STE")
}
LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")


class Row(NamedTuple):
    rule: str
    says: str
    function: str
    test: str
    vectors: str
    notebook: str


ROWS = [
    Row(*(cell.strip() for cell in line.split("|")[1:-1]))
    for line in README.splitlines()
    if re.match(r"\| AQ-[A-Z]+-\d+ \|", line)
]
each = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.rule)


def link(cell: str) -> tuple[str, Path]:
    """The words and the target of the one link in a cell."""
    ((words, target),) = LINK.findall(cell)
    return words, CLONE / target


def found(name: str) -> Any:
    """What `name` is in the package: "quant.border.border"."""
    module, _, last = f"aquant_ref.{name}".rpartition(".")
    return getattr(import_module(module), last)


def section(notebook: Path, heading: str) -> str:
    """The text of the cells from the one that begins with `heading` to the next of its kind."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    (inside,) = re.findall(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.M | re.S)
    return str(inside)


def test_the_map_has_the_chapters_that_matter_and_each_rule_once() -> None:
    assert {row.rule.split("-")[1] for row in ROWS} == CHAPTERS
    assert len({row.rule for row in ROWS}) == len(ROWS)


@each
def test_its_rule_is_in_the_spec(row: Row) -> None:
    assert f"**{row.rule}**" in SPEC


@each
def test_its_function_can_be_imported_and_its_file_cites_the_rule(row: Row) -> None:
    function = found(row.function.strip("`"))
    assert callable(function)
    function = getattr(function, "fun", function)  # what autograd's primitive wraps
    source = inspect.getsource(import_module(function.__module__))
    assert row.rule.rpartition("-")[0] in source


@each
def test_its_property_test_exists(row: Row) -> None:
    words, path = link(row.test)
    name = "test_" + words.replace(" ", "_")
    assert re.search(rf"^def {name}\(", path.read_text(encoding="utf-8"), re.MULTILINE), name


@each
def test_its_vectors_are_those_of_the_operation_and_the_rule(row: Row) -> None:
    if row.vectors:
        words, path = link(row.vectors)
        vectors = json.loads(path.read_text(encoding="utf-8"))
        assert vectors["op"] == words
        assert row.rule in vectors["spec"]


@each
def test_its_notebook_has_the_section_and_the_section_the_rule(row: Row) -> None:
    number, path = link(row.notebook)
    assert path.name.startswith(f"{number}_")
    assert row.rule in section(path, LINK.sub("", row.notebook).strip())
