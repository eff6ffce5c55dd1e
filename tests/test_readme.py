from __future__ import annotations

import re
from pathlib import Path

import pytest

import aquant_ref
from tests import pages

README = pages.CLONE / "README.md"
LINES = README.read_text(encoding="utf-8").splitlines()
(EXAMPLE,) = pages.blocks(README, "python")
ROOMS = {pages.name(path.parent) + "/" for path in pages.CLONE.glob("aquant_ref/*/__init__.py")}


def test_it_can_be_read_in_one_sitting() -> None:
    assert len(LINES) <= 200


def test_the_example_in_python_has_at_most_25_lines_of_public_names_and_finds_no_difference(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(EXAMPLE.splitlines()) <= 25
    assert set(re.findall(r"^(?:import|from) (\S+)", EXAMPLE, re.M)) == {"aquant_ref", "numpy"}
    assert set(re.findall(r"\baq\.(\w+)", EXAMPLE)) <= set(aquant_ref.__all__)
    monkeypatch.chdir(tmp_path)
    exec(EXAMPLE, {})  # our own file
    (shown,) = (block for block in pages.blocks(README, "text") if "Agreement" in block)
    assert capsys.readouterr().out.startswith(shown)
    assert " 0 mismatches" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["digits.npz"]


def test_it_says_what_is_in_every_room_and_no_other() -> None:
    named = {path for line in LINES for path in re.findall(r"`([\w./]+/)`", line.split(" | ")[0])}
    assert named == ROOMS | {"reference_models/", "notebooks/", "tests/"}
