"""Checklists that are short, and decisions that are complete and those of the SPEC."""

from __future__ import annotations

import re

import pytest

from tests.pages import CLONE, text

CONTRIBUTING = text(CLONE / ".github" / "CONTRIBUTING.md")
DESIGN = text(CLONE / "aquant_ref" / "DESIGN.md")
SPEC = text(CLONE / "aquant_ref" / "SPEC.md")
SECTION = re.compile(r"^## (.+)\n\n((?:(?!## ).*\n?)+)", re.MULTILINE)
CHECKLISTS = {
    title: [line for line in body.splitlines() if line]
    for title, body in SECTION.findall(CONTRIBUTING)
    if body.startswith("1. ")
}
DECISIONS = dict(SECTION.findall(DESIGN))
PARTS = ("Context", "Choice", "Alternatives", "Consequence")


def test_there_is_a_checklist_for_all_that_can_be_added() -> None:
    assert set(CHECKLISTS) == {
        *(f"A new {thing}" for thing in ("operation", "method", "rule", "vector")),
        "Another engine",
    }


@pytest.mark.parametrize("title", CHECKLISTS)
def test_a_checklist_has_at_most_eight_lines_numbered_from_one(title: str) -> None:
    lines = CHECKLISTS[title]
    assert len(lines) <= 8
    numbers = [int(line.partition(".")[0]) for line in lines if not line.startswith(" ")]
    assert numbers == [*range(1, len(numbers) + 1)]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:[a-z_.]+/)+[\w.]*)`", CONTRIBUTING))))
def test_a_path_of_the_checklists_exists(path: str) -> None:
    assert (CLONE / path).exists() or (CLONE / "aquant_ref" / path).exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\btests/[\w/]+(?:\.py)?", CONTRIBUTING))))
def test_what_a_command_runs_exists(path: str) -> None:
    assert (CLONE / path).exists()


def test_there_are_ten_decisions() -> None:
    assert [title.partition(" ")[0] for title in DECISIONS] == [str(k) for k in range(1, 11)]


@pytest.mark.parametrize("title", DECISIONS)
def test_a_decision_has_its_four_parts_and_a_mark_in_the_spec(title: str) -> None:
    body = DECISIONS[title]
    assert tuple(re.findall(r"^\*(\w+)\.\*", body, re.MULTILINE)) == PARTS
    places = re.findall(r"AQ-[A-Z]+-\d+", body) + re.findall(r"\*(Variations)\*", body)
    assert any("**[D]**" in rule_text(place) for place in places)


def rule_text(place: str) -> str:
    """The rule with the introduction of its chapter, or the chapter *Variations*."""
    if place == "Variations":
        return SPEC[SPEC.index("\n## Variations") :]
    start = SPEC.index(f"**{place}**")
    end = re.search(r"^(?:\*\*AQ-|#)", SPEC[start + 1 :], re.MULTILINE)
    chapter = SPEC.rindex("\n## ", 0, start)
    introduction = SPEC[chapter : SPEC.index("\n**AQ-", chapter)]
    return introduction + SPEC[start : start + 1 + end.start() if end else None]
