"""The map of the rules is the one that its command makes, and misses no rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import map as rule_map
from tests.pages import cells

SPEC = rule_map.SPEC.read_text(encoding="utf-8")
PAGE = rule_map.PAGE.read_text(encoding="utf-8")
LINES = [cells(line) for line in PAGE.splitlines() if line.startswith("| [AQ-")]
RULES = re.findall(r"^\*\*(AQ-[A-Z]+-\d+)\*\*", SPEC, re.MULTILINE)


def test_the_page_is_current() -> None:
    """With the number of every line: a link that is off by one leads to nothing."""
    assert PAGE.splitlines() == rule_map.build().splitlines(), f"run `{rule_map.COMMAND}`"


def test_a_link_to_a_line_leads_to_what_it_names() -> None:
    for name, path, line in re.findall(r"\[`([\w.]+)`\]\(([\w./]+)#L(\d+)\)", PAGE):
        source = (rule_map.PAGE.parent / path).read_text(encoding="utf-8").splitlines()
        last = name.rpartition(".")[2]
        defined = rf"\s*(def|class) (test_)?{last}\b"
        assert line == "1" or re.match(defined, source[int(line) - 1]), name


def test_every_rule_has_its_line() -> None:
    assert [re.findall(r"^\[([\w-]+)\]", line[0]) for line in LINES] == [[rule] for rule in RULES]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0])
def test_every_rule_that_is_not_withdrawn_has_code_and_a_test(line: list[str]) -> None:
    rule, says, oracle, functions, tests, *_ = line
    if says != "Withdrawn":
        assert oracle or functions, f"{rule} is in the `Spec:` line of no function"
        assert tests, f"{rule} is in the `Spec:` line of no test"


@pytest.mark.parametrize(
    ("docstring", "found"),
    [
        ("Round. Spec: AQ-X-1.", {"AQ-X-1"}),
        ("Round.\n\n    Spec: AQ-X-2 to AQ-X-4, AQ-Y-1. See AQ-Z-1 too.", {"AQ-Y-1", *"234"}),
        ("Spec: AQ-X-1: one product.", {"AQ-X-1"}),
        ("As AQ-X-1 says.", set()),
        ("Spec: AQ-X. `bits` (AQ-Y-1).", set()),
    ],
)
def test_a_spec_line_ends_with_its_sentence(docstring: str, found: set[str]) -> None:
    wanted = {f"AQ-X-{each}" if len(each) == 1 else each for each in found}
    assert rule_map.cited(docstring) == wanted


def test_modules_methods_and_private_names_are_places_in_the_order_of_the_file(
    tmp_path: Path,
) -> None:
    source = """
        '''A module. Spec: AQ-A-1.'''
        class Thing:
            def does(self):
                '''Spec: AQ-A-2.'''
            def _does(self):
                '''Spec: AQ-A-3.'''
        def _hidden():
            '''Spec: AQ-A-4.'''
        """
    path = tmp_path / "room.py"
    path.write_text("\n".join(line[8:] for line in source.splitlines()[1:]))
    found = [(place.name, place.line) for place in rule_map.places(path, "room")]
    assert found == [
        *(("room", 1), ("room.Thing.does", 3), ("room.Thing._does", 5)),
        ("room._hidden", 7),
    ]
