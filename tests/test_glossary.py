"""The glossary has each term once, says where it is defined, and is linked from everywhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests import pages

PAGE = pages.CLONE / "aquant_ref" / "GLOSSARY.md"
TERMS = dict(
    re.findall(r"^### (.+)\n\n((?:.+\n)+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
)
WANTED = {  # those that a reader of any page has to know
    *("border", "crossing", "threshold", "snap", "wide code", "lift", "margin", "certified"),
    *("fragile", "calibration", "variation", "deviation"),
}
LINKING = [
    page
    for page in (*pages.PAGES, *pages.NOTEBOOKS)
    if page.suffix == ".ipynb" or page.name in ("README.md", "SPEC.md")
]


@cache
def everything() -> str:
    """All other pages, notebooks and sources, each run of white space one space."""
    sources = (pages.CLONE / "aquant_ref").rglob("*.py")
    others = [path for path in (*pages.PAGES, *pages.NOTEBOOKS) if path != PAGE]
    texts = [*map(pages.text, others), *(path.read_text(encoding="utf-8") for path in sources)]
    return " ".join(" ".join(texts).lower().split())


def test_the_terms_are_there_in_the_order_of_the_alphabet() -> None:
    assert set(TERMS) >= WANTED
    assert list(TERMS) == sorted(TERMS, key=str.lower)
    assert len(TERMS) == len(re.findall(r"^### ", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_used_elsewhere_in_one_form_or_the_plural(term: str) -> None:
    assert re.search(rf"\b{re.escape(term.lower())}s?\b", everything())


@pytest.mark.parametrize("term", TERMS)
def test_the_rules_that_define_a_term_are_in_the_spec(term: str) -> None:
    spec = pages.text(pages.CLONE / "aquant_ref" / "SPEC.md")
    for rule in re.findall(r"AQ-[A-Z]+-\d+", TERMS[term]):
        assert f"**{rule}**" in spec, rule


@pytest.mark.parametrize("page", LINKING, ids=pages.name)
def test_the_page_links_to_the_glossary(page: Path) -> None:
    targets = {(page.parent / link.partition("#")[0]).resolve() for link in pages.links(page)}
    assert PAGE in targets


def test_the_readme_links_to_the_terms_that_it_takes_for_granted() -> None:
    found = {link.partition("#") for link in pages.links(pages.CLONE / "README.md")}
    terms = {anchor for path, _, anchor in found if path == "aquant_ref/GLOSSARY.md"}
    assert {"border", "simulation", "certificate"} <= terms
