"""The rules of SPEC.md and what cites them: neither may have what the other lacks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parent.parent
SPEC = (CLONE / "aquant_ref" / "SPEC.md").read_text(encoding="utf-8")
SOURCES = sorted((CLONE / "aquant_ref").rglob("*.py"))

RULES = re.findall(r"^\*\*(AQ-[A-Z]+-\d+)\*\*", SPEC, re.MULTILINE)
CITATION = re.compile(r"AQ-([A-Z]+)(?:-(\d+)(?:\s+to\s+AQ-\1-(\d+))?)?")


def chapter_of(rule: str) -> str:
    return rule.rpartition("-")[0]


def citations(text: str) -> Iterator[str]:
    """Ids as they are cited; "AQ-X-2 to AQ-X-4" is three of them, "AQ-X" the chapter."""
    for chapter, first, last in CITATION.findall(text):
        if first:
            yield from (f"AQ-{chapter}-{k}" for k in range(int(first), int(last or first) + 1))
        else:
            yield f"AQ-{chapter}"


def public_docstrings(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, ast.get_docstring(node) or ""


def test_rules_are_numbered_in_order_without_gaps() -> None:
    chapters: dict[str, int] = {}
    for rule in RULES:
        chapter, number = chapter_of(rule), int(rule.rpartition("-")[2])
        assert number == chapters.get(chapter, 0) + 1, rule
        chapters[chapter] = number


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(CLONE).as_posix())
def test_every_rule_that_the_code_cites_exists(path: Path) -> None:
    known = {*RULES, *map(chapter_of, RULES)}
    assert set(citations(path.read_text(encoding="utf-8"))) <= known


def test_every_rule_that_the_spec_mentions_exists() -> None:
    assert set(citations(SPEC)) <= {*RULES, *map(chapter_of, RULES)}


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_cited_by_code(rule: str) -> None:
    cited = {each for path in SOURCES for each in citations(path.read_text(encoding="utf-8"))}
    assert {rule, chapter_of(rule)} & cited


@pytest.mark.parametrize("room", ["integer", "quant"])
def test_every_public_name_of_the_arithmetic_rooms_cites_its_rule(room: str) -> None:
    silent = [
        f"{path.stem}.{name}"
        for path in sorted((CLONE / "aquant_ref" / room).glob("*.py"))
        for name, docstring in public_docstrings(path)
        if not CITATION.search(docstring)
    ]
    assert not silent


def test_a_range_of_rules_is_every_rule_in_it() -> None:
    assert [*citations("AQ-X-2 to AQ-X-4, AQ-Y (AQ-Z-1).")] == [
        *("AQ-X-2", "AQ-X-3", "AQ-X-4", "AQ-Y", "AQ-Z-1")
    ]
