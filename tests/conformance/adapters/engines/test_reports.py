"""The page of reports: it has every engine, and a cheap part of it is made again."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aquant_ref.conformance.adapters.engines.names import ENGINES
from tests.engines.page import asked, page, rows, run, sections

CHEAP = ["rescale_codes", "mul", "max_pool2d", "lookup", "activation", "concat"]


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_has_a_table_and_nothing_fails_that_is_not_explained(name: str) -> None:
    cells = [line.split("|")[1:-1] for line in sections()[name].splitlines() if line[:3] == "| `"]
    assert len(cells) > 5
    for operation, variation, passed, failed, errors, deviating, _ in cells:
        assert int(failed) + int(errors) == 0, (operation, variation)
        assert int(passed) + int(deviating) > 0, (operation, variation)


@pytest.mark.parametrize("name", [name for name in ENGINES if not name.startswith("torch")])
def test_cheap_rows_are_those_of_the_page(name: str, engine: Any) -> None:
    stated = sections()[name]
    version = re.search(r"\d+\.\d+\.\d+", stated)
    assert version is not None
    adapter = engine(name)
    if version[0] not in adapter.name:
        pytest.skip(f"the page is about {version[0]}, here is {adapter.name}")
    chosen = [each for each in CHEAP if adapter.supports(each)]
    made = list(rows(run(name, chosen)))
    assert made
    if asked() in stated:
        assert [row for row in made if row not in stated] == []
    else:  # cases were added since
        assert all(row.split(" | ")[3:5] == ["0", "0"] for row in made)


def test_a_page_keeps_the_sections_of_other_engines_in_their_order() -> None:
    made = sections()
    text = page(dict(reversed(made.items())))
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(ENGINES)
    assert all(made[name] in text for name in ENGINES)
