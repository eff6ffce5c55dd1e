"""The index has every notebook, by its title, and needs no notebook that comes later."""

from __future__ import annotations

import re

from tests.pages import CLONE, NOTEBOOKS, cells, text

INDEX = text(CLONE / "notebooks" / "README.md")
ROWS = [cells(line) for line in re.findall(r"^\| \[.*$", INDEX, re.MULTILINE)]


def test_every_notebook_is_there_by_its_title() -> None:
    titles = [text(path).partition("\n")[0].removeprefix("# ") for path in NOTEBOOKS]
    assert [row[0] for row in ROWS] == [
        f"[{title}]({path.name})" for title, path in zip(titles, NOTEBOOKS, strict=True)
    ]


def test_what_a_notebook_needs_comes_before_it() -> None:
    for number, (_, _, needs) in enumerate(ROWS):
        assert all(int(needed) < number for needed in re.findall(r"\d\d", needs))


def test_the_readme_counts_them() -> None:
    assert len(NOTEBOOKS) == 11
    assert "Eleven [notebooks](notebooks/README.md)" in text(CLONE / "README.md")
