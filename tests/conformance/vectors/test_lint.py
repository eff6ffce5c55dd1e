from __future__ import annotations

import copy
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.conformance.cases.sequence import FAMILIES
from aquant_ref.conformance.vectors import VECTORS, lint


def first(stored: Any) -> Any:
    return stored["groups"][0]["tests"][0]


@pytest.mark.parametrize("operation", FAMILIES)
def test_the_vectors_have_nothing_wrong_with_them(operation: str) -> None:
    assert lint(operations=[operation]) == []


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The vectors of two operations; the kit has no others."""
    module = sys.modules[lint.__module__]
    monkeypatch.setattr(module, "FAMILIES", {"clip": (), "max_pool2d": ()})
    for name in ("clip.json", "max_pool2d.json"):
        shutil.copy(VECTORS / name, tmp_path)
    return tmp_path


def wrong_answer(stored: Any) -> None:
    first(stored)["out"]["q"] += 1


def two_of_one_id(stored: Any) -> None:
    stored["groups"][0]["tests"][1]["id"] = first(stored)["id"]


def another_id(stored: Any) -> None:
    first(stored)["id"] = "clip/other/1"


def another_flag(stored: Any) -> None:
    first(stored)["flags"] = ["unheard_of"]


def no_note(stored: Any) -> None:
    del stored["notes"]["inside"]


def another_field(stored: Any) -> None:
    stored["fields"]["v"] = "i16"


def no_spec(stored: Any) -> None:
    del stored["spec"]


def unknown_defect(stored: Any) -> None:
    stored["notes"]["inside"]["catches"] = ["bad luck"]


def another_result(stored: Any) -> None:
    first(stored)["result"] = "about"


def no_input(stored: Any) -> None:
    del first(stored)["in"]["v"]


def damaged(damage: Callable[[Any], None], operation: str, directory: Path) -> list[str]:
    """What is wrong with the file of `operation` after `damage`."""
    stored = json.loads((VECTORS / f"{operation}.json").read_text(encoding="utf-8"))
    damage(stored)
    (directory / f"{operation}.json").write_text(json.dumps(stored), encoding="utf-8")
    return lint(directory, [operation])


def test_a_file_without_damage_has_nothing_wrong_with_it(tmp_path: Path) -> None:
    assert damaged(lambda stored: None, "clip", tmp_path) == []


def test_lint_blames_the_damaged_file_alone(few: Path) -> None:
    (wrong,) = damaged(wrong_answer, "clip", few)
    assert lint(few) == [wrong]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (wrong_answer, "the oracle"),
        (two_of_one_id, "two tests have one id"),
        (another_id, "clip/other/1: is not <op>/<flag>/<slug>"),
        (another_flag, "is not <op>/<flag>/<slug>"),
        (no_note, "notes: differ from the flags in use by ['inside']"),
        (another_field, "fields: is not that of the contract"),
        (no_spec, "['spec']"),
        (unknown_defect, "['bad luck']"),
        (another_result, "'about'"),
        (no_input, "is damaged"),
    ],
)
def test_lint_finds_what_is_wrong(
    damage: Callable[[Any], None], words: str, tmp_path: Path
) -> None:
    wrong = damaged(damage, "clip", tmp_path)
    assert wrong
    assert any(words in line for line in wrong), wrong
    assert all("clip.json" in line for line in wrong)


def another_element(stored: Any) -> None:
    first(stored)["out"]["q"][0][0][0] += 1


def another_shape(stored: Any) -> None:
    first(stored)["out"]["q"].append([[0]])


def refused(stored: Any) -> None:
    test = first(stored)
    del test["out"]
    test["result"] = "must_reject"


def bounded(stored: Any) -> None:
    test = first(stored)
    test["out"]["q"] = [test["out"]["q"]] * 2
    test["result"] = "bounded"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (another_element, "at [0, 0, 0] (1 of "),
        (another_shape, "is damaged"),
        (refused, "says a refusal, the oracle a tensor"),
        (bounded, ""),
    ],
)
def test_lint_compares_tensors(damage: Callable[[Any], None], words: str, tmp_path: Path) -> None:
    wrong = damaged(damage, "max_pool2d", tmp_path)
    assert bool(wrong) == bool(words)
    assert all("max_pool2d.json" in line and words in line for line in wrong)


def test_lint_finds_a_file_that_is_missing_or_of_nothing(few: Path) -> None:
    (few / "clip.json").rename(few / "snip.json")
    wrong = lint(few)
    assert any("snip.json: is of no operation" in line for line in wrong)
    assert any("clip.json: no such file" in line for line in wrong)


ODD = ["null", "true", "-1", "0.5", "1e999", "9" * 30, "4398046511104", '"x"', '"a\\nb"', "[]",
       "{}", "[[1]]", '"0x1p1000"', r'"\ud800"', "[" * 2000 + "]" * 2000]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something is in a file of vectors: of each list its first."""
    yield path
    inner = enumerate(value[:1]) if isinstance(value, list) else ()
    for key, each in value.items() if isinstance(value, dict) else inner:
        yield from places(each, (*path, key))


@pytest.mark.parametrize("operation", ["clip", "program"])
def test_lint_says_what_is_wrong_with_anything_in_the_place_of_anything(
    tmp_path: Path, operation: str
) -> None:
    """Past bugs: a list as a flag and a padding of 2^42 were a traceback, and no end."""
    stored = json.loads((VECTORS / f"{operation}.json").read_text(encoding="utf-8"))
    stored["groups"] = stored["groups"][:1]
    stored["groups"][0]["tests"] = stored["groups"][0]["tests"][:1]
    path = tmp_path / f"{operation}.json"
    for place in list(places(stored))[1:]:
        damaged = copy.deepcopy(stored)
        reduce(getitem, place[:-1], damaged)[place[-1]] = "HERE"
        text = json.dumps(damaged)
        for odd in ODD:
            path.write_text(text.replace('"HERE"', odd), encoding="utf-8")
            for line in lint(tmp_path, [operation]):
                assert line.isprintable()
                assert path.name in line
