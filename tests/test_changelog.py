"""What the changelog says of moved things: each is where it says, and no longer where it was."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from tests.pages import CLONE, cells, text

CHANGELOG = text(CLONE / "CHANGELOG.md")
MOVED = CHANGELOG[CHANGELOG.index("\n### Moved\n") : CHANGELOG.index("\n## [0.1.0]")]
MODULES, NAMES, FILES = (
    [cells(line) for line in table.splitlines()[2:]]
    for table in re.findall(r"(?:^\|.*\n)+", MOVED, re.MULTILINE)
)


def spelled_out(cell: str) -> list[str]:
    """`a.{b, c}` is `a.b` and `a.c`."""
    (written,) = re.findall(r"`([^`]+)`", cell)
    braces = re.fullmatch(r"(.*)\{(.*)\}", written)
    return [braces[1] + each for each in braces[2].split(", ")] if braces else [written]


def now(before: str, after: str, separator: str) -> list[str]:
    """Where each of the things is that one line is about."""
    (place,) = re.findall(r"`([^`]+)`", after)
    if "by the same names" not in after:
        return [place]
    return [f"{place}{separator}{each.rpartition(separator)[2]}" for each in spelled_out(before)]


def is_module(name: str) -> bool:
    path = CLONE / "aquant_ref" / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def is_name(name: str) -> bool:
    module, _, last = f"aquant_ref.{name}".rpartition(".")
    return hasattr(import_module(module), last)


@pytest.mark.parametrize("line", MODULES, ids=lambda line: line[0])
def test_a_module_is_where_the_table_says(line: list[str]) -> None:
    before, after = line
    assert all(is_module(name) for name in now(before, after, "."))
    here = set(now(before, after, "."))
    assert not any(is_module(name) for name in spelled_out(before) if name not in PACKAGES | here)


PACKAGES = {"cli", "conformance.report", "conformance.strategies"}  # a module then, a room now


@pytest.mark.parametrize("line", NAMES, ids=lambda line: line[0])
def test_a_name_is_where_the_table_says(line: list[str]) -> None:
    for name in re.findall(r"`([a-z][\w.]+\.\w+)`", line[1]):
        assert is_name(name), name


@pytest.mark.parametrize("line", FILES, ids=lambda line: line[0])
def test_a_test_or_page_is_where_the_table_says(line: list[str]) -> None:
    before, after = line
    for path in now(before, after, "/"):
        assert (CLONE / path).exists(), path
    if before.startswith("`"):
        assert not any((CLONE / path).exists() for path in spelled_out(before))
