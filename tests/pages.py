"""The pages of the repository, and what is in them: text, blocks of code, links, headings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
ROOMS = ("aquant_ref", "reference_models", "notebooks", "tests", ".github")
PAGES = sorted(
    [
        *CLONE.glob("*.md"),
        *(page for room in ROOMS for page in (CLONE / room).rglob("*.md")),
    ]
)
NOTEBOOKS = sorted((CLONE / "notebooks").glob("*.ipynb"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!\\)\[(?:[^][]|\[[^]]*\])*\]\(([^()\s]+)\)")


def name(path: Path) -> str:
    """PATH as one writes it in the clone."""
    return path.relative_to(CLONE).as_posix()


def text(path: Path) -> str:
    """A page, or the Markdown cells of a notebook."""
    content = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return content
    cells = json.loads(content)["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def prose(path: Path) -> str:
    """The text without its blocks of code."""
    return FENCE.sub("", text(path))


def blocks(path: Path, language: str) -> list[str]:
    """The blocks of code in LANGUAGE."""
    return [body for kind, body in FENCE.findall(text(path)) if kind == language]


def links(path: Path) -> list[str]:
    """The targets of all links and pictures, as written."""
    return LINK.findall(prose(path))


def anchor(heading: str) -> str:
    """What GitHub makes of a heading so that a link can name it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    """What `#...` can name in a page."""
    return {anchor(each) for each in re.findall(r"^#+ +(.*?) *$", prose(path), re.MULTILINE)}


def tables(path: Path) -> Iterator[list[str]]:
    """The lines of each table."""
    for found in re.findall(r"(?:^\|.*\n)+", prose(path), re.MULTILINE):
        yield found.splitlines()


def cells(line: str) -> list[str]:
    """The cells of a line of a table."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def commands(path: Path) -> list[str]:
    """Each command of the blocks for a shell, and each `aquant-ref ...` in the text."""
    lines = "".join(blocks(path, "sh")).replace("\\\n", "").splitlines()
    parts = [part for line in lines for part in re.split(r"&&|\|", re.sub(r"(^| )#.*", "", line))]
    parts += re.findall(r"`(aquant-ref [^`]+)`", prose(path))
    return [part.strip() for part in parts if part.strip()]
