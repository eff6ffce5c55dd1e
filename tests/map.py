"""`python -m tests.map` writes aquant_ref/MAP.md: from each rule to all that has it.

A function, a class or a test has a rule where its docstring says `Spec:` and the rule's id; stored
vectors where their `spec` names it; a section of a notebook where its text does.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import shorten
from typing import NamedTuple

from tests.pages import CLONE, NOTEBOOKS, anchor, text

PACKAGE = CLONE / "aquant_ref"
PAGE, SPEC = PACKAGE / "MAP.md", PACKAGE / "SPEC.md"
VECTORS = sorted((PACKAGE / "conformance" / "vectors").glob("v*/*.json"))
ORACLE = PACKAGE / "oracle.py"
ASKS_THE_ORACLE = PACKAGE / "conformance" / "expected"
ROOMS = (
    *("integer", "quant", "nn", "model", "ptq", "simulate", "lowering", "engine"),
    *("certification", "comparison", "experiments", "claims", "cli", "conformance"),
)
RULE = re.compile(r"AQ-([A-Z]+)-(\d+)(?:\s+to\s+AQ-\1-(\d+))?")
COMMAND = "python -m tests.map"
HEAD = f"""\
# From each rule to its code

Each line leads from a rule of [SPEC.md](SPEC.md) to the oracle, the functions, the tests, the
stored vectors and the sections of notebooks that have it. `{COMMAND}` makes this page from the
`Spec:` lines of docstrings; words are in the [glossary](GLOSSARY.md). A cell is empty where there
is nothing.
"""
COLUMNS = ("rule", "says", "oracle", "functions", "tests", "vectors", "notebooks")


class Place(NamedTuple):
    """Something that has rules: what it is called, where it is, and which they are."""

    name: str
    path: Path
    line: int
    rules: frozenset[str]

    def link(self) -> str:
        """The link to its line, as the map writes it."""
        return f"[`{self.name}`]({from_map(self.path)}#L{self.line})"


def from_map(target: Path) -> str:
    """TARGET as a page in the package links to it."""
    first, *rest = target.relative_to(CLONE).parts
    return "/".join(rest if first == PACKAGE.name else ("..", first, *rest))


def rules_in(words: str) -> Iterator[str]:
    """The ids in WORDS; "AQ-X-2 to AQ-X-4" is three."""
    for chapter, first, last in RULE.findall(words):
        yield from (f"AQ-{chapter}-{k}" for k in range(int(first), int(last or first) + 1))


def cited(docstring: str | None) -> frozenset[str]:
    """The rules that the `Spec:` lines of a docstring name, up to the end of the sentence."""
    said = re.findall(r"\bSpec:(.*?)(?:\.(?=\s|$)|[:;]\s|\Z)", docstring or "", re.DOTALL)
    return frozenset(rule for words in said for rule in rules_in(words))


def places(path: Path, name: str) -> Iterator[Place]:
    """The module, then its classes, functions and methods that have rules."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    waiting: list[tuple[str, ast.AST]] = [(name, tree)]
    while waiting:
        qualified, node = waiting.pop(0)
        assert isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if rules := cited(ast.get_docstring(node)):
            yield Place(qualified, path, getattr(node, "lineno", 1), rules)
        if isinstance(node, ast.Module | ast.ClassDef):
            waiting[:0] = [
                (f"{qualified}.{each.name}" if qualified else each.name, each)
                for each in node.body
                if isinstance(each, ast.ClassDef | ast.FunctionDef)
            ]


def room(path: Path) -> tuple[int, str]:
    """By which the files of the package are sorted: what computes first, who asks it last."""
    name = path.relative_to(PACKAGE).parts[0]
    return (ROOMS.index(name) if name in ROOMS else -1), path.as_posix()


def of_package() -> list[Place]:
    """All of the package, room by room."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py"), key=room):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found += places(path, module)
    return found


def of_tests() -> list[Place]:
    """The tests, called by their sentences."""
    found = [
        place
        for path in sorted((CLONE / "tests").rglob("test_*.py"))
        for place in places(path, "")
        if place.name
    ]
    return [place._replace(name=place.name.removeprefix("test_")) for place in found]


def sections() -> list[tuple[Path, str, frozenset[str]]]:
    """Notebook, heading and rules of each section."""
    found = []
    for path in NOTEBOOKS:
        for part in re.split(r"^## ", text(path), flags=re.MULTILINE)[1:]:
            heading, _, body = part.partition("\n")
            found.append((path, heading.strip(), frozenset(rules_in(body))))
    return found


def rules() -> Iterator[tuple[str, str, str]]:
    """Each rule of the SPEC: its chapter's heading, its id, what it says in a few words."""
    chapter = ""
    for block in re.split(r"\n\n+", SPEC.read_text(encoding="utf-8")):
        if heading := re.match(r"#+ (.*)", block):
            chapter = heading[1]
        if rule := re.match(r"\*\*(AQ-[A-Z]+-\d+)\*\* (.*)", block, re.DOTALL):
            yield chapter, rule[1], summary(" ".join(rule[2].split()))


def summary(words: str) -> str:
    """The title of a rule, or else how its first sentence begins."""
    title = re.match(r"\*(.+?)\*(?=[:., ]|$)", words)
    short = title[1] if title else re.split(r"(?<=[\w)])[.:;]\s", words)[0]
    return shorten(short.rstrip(".:,"), 90, placeholder=" ...").replace("|", r"\|")


def column(found: Sequence[str]) -> str:
    """One line for each in a cell."""
    return "<br>".join(found)


def build() -> str:
    """The page."""
    package, tests, notebooks = of_package(), of_tests(), sections()
    vectors = [(path, json.loads(path.read_text(encoding="utf-8"))) for path in VECTORS]
    lines, last = [HEAD.rstrip()], ""
    for chapter, rule, says in rules():
        if chapter != last:
            lines += ["", f"## {chapter}", "", f"| {' | '.join(COLUMNS)} |", "|---" * 7 + "|"]
            last = chapter
        mine = [place for place in package if rule in place.rules]
        oracle = [place.link() for place in mine if place.path == ORACLE]
        functions = [
            place.link()
            for place in mine
            if place.path != ORACLE and ASKS_THE_ORACLE not in place.path.parents
        ]
        cells = (
            f"[{rule}](SPEC.md#{anchor(chapter)})",
            says,
            column(oracle),
            column(functions),
            column([place.link() for place in tests if rule in place.rules]),
            column([f"[{c['op']}]({from_map(p)})" for p, c in vectors if rule in c["spec"]]),
            column(
                [
                    f"[{path.name[:2]}]({from_map(path)}) {heading}"
                    for path, heading, cited_there in notebooks
                    if rule in cited_there
                ]
            ),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(build(), encoding="utf-8")
