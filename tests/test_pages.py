"""Every page leads where it says: links, headings, lines, commands, tables."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from aquant_ref.cli.commands import COMMANDS
from aquant_ref.cli.main import parser
from tests import pages

CHANGELOG = pages.CLONE / "CHANGELOG.md"  # says what was, too
NOT_COMMANDS = ("--help", "case")  # `aquant-ref case 1` is the name of a format
each_page = pytest.mark.parametrize("page", pages.PAGES, ids=pages.name)


@pytest.mark.parametrize("page", [*pages.PAGES, *pages.NOTEBOOKS], ids=pages.name)
def test_every_link_leads_to_a_file_and_to_a_heading_or_line_of_it(page: Path) -> None:
    for link in pages.links(page):
        if link.startswith(("https://", "attachment:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(pages.CLONE), link
        if anchor and target.suffix == ".md":
            assert anchor in pages.anchors(target), link
        elif anchor:
            lines = target.read_text(encoding="utf-8").splitlines()
            assert 1 <= int(anchor.removeprefix("L")) <= len(lines), link


@each_page
def test_every_command_is_one_that_there_is(page: Path) -> None:
    if page == CHANGELOG:
        return
    for command in pages.commands(page):
        program, *arguments = shlex.split(command)
        if program == "aquant-ref" and arguments[0] not in NOT_COMMANDS:
            if arguments not in ([each] for each in COMMANDS):
                parser().parse_args(arguments)
        elif program == "python" and arguments[0] == "-m":
            assert find_spec(arguments[1]), command
        elif program.startswith((".", "tests/")):
            known = {"./kernel", "./tensor_kernel"}  # which the reader compiles
            assert program in known or (pages.CLONE / program).exists(), command


@each_page
def test_every_path_in_the_text_exists(page: Path) -> None:
    if page == CHANGELOG:
        return
    for path in re.findall(r"`((?:[\w.]+/)+[\w.]*)`", pages.prose(page)):
        if path.startswith(pages.ROOMS):
            assert (pages.CLONE / path).exists(), path


@each_page
def test_every_line_of_a_table_has_as_many_cells_as_its_head(page: Path) -> None:
    for head, line, *rows in pages.tables(page):
        assert set("".join(pages.cells(line))) <= set("-:")
        assert {len(pages.cells(row)) for row in (line, *rows)} == {len(pages.cells(head))}, head


def test_the_pages_are_found() -> None:
    names = {pages.name(page) for page in pages.PAGES}
    assert {"README.md", "aquant_ref/SPEC.md", "notebooks/README.md"} <= names


def test_headings_become_the_anchors_that_github_makes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# `run`: A & B\n\n```sh\n# no heading\n```\n\n## 8 Lowering to integers\n")
    assert pages.anchors(page) == {"run-a--b", "8-lowering-to-integers"}


def test_a_link_may_have_brackets_and_code_in_its_words(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[`a[0]`](a.py#L1), ![picture](b.png), `x` (c)\n")
    assert pages.links(page) == ["a.py#L1", "b.png"]


@pytest.mark.parametrize("page", pages.NOTEBOOKS, ids=pages.name)
def test_a_notebook_names_no_page_without_a_link_to_it(page: Path) -> None:
    """Past fault: what notebooks called "the README" had moved to other pages."""
    words = pages.LINK.sub("", pages.text(page))
    assert "README" not in words


@pytest.mark.parametrize(
    "page",
    [page for page in pages.PAGES if "where-the-code-is" in pages.anchors(page)],
    ids=pages.name,
)
def test_a_page_that_says_where_the_code_is_names_all_of_its_room(page: Path) -> None:
    linked = {(page.parent / link.partition("#")[0]).resolve() for link in pages.links(page)}
    room = [*page.parent.glob("*.py"), *(p.parent for p in page.parent.glob("*/__init__.py"))]
    missing = {path.name for path in room if path not in linked} - {"__init__.py"}
    assert not missing
