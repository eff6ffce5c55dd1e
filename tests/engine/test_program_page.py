"""PROGRAM.md describes exactly the instructions that exist, with their attributes and arrays."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import aquant_ref
from aquant_ref.engine import Program
from aquant_ref.engine.operations import OPERATIONS
from aquant_ref.formats import native
from aquant_ref.lowering import lower
from tests.engine import networks

PAGE = (Path(aquant_ref.__file__).parent / "engine" / "PROGRAM.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE))


def line(op: str, start: str) -> str:
    (found,) = re.findall(rf"^- {start}: (.*)$", SECTIONS[op], re.MULTILINE)
    return str(found)


def test_it_has_a_section_for_each_instruction_in_their_order() -> None:
    assert list(SECTIONS) == list(OPERATIONS)


@pytest.mark.parametrize("op", OPERATIONS)
def test_a_section_lists_the_attributes(op: str) -> None:
    known = {name for row in OPERATIONS.values() for name in row.attributes}
    found = set(re.findall(r"`(\w+)`", line(op, "Attributes")))
    assert found & known == OPERATIONS[op].attributes.keys()


@pytest.mark.parametrize("op", OPERATIONS)
def test_a_section_lists_the_arrays_with_their_types(op: str) -> None:
    found = re.findall(r"`(\w+)` (\w+(?: or \w+)*)", line(op, "Arrays"))
    assert {name: tuple(types.split(" or ")) for name, types in found} == OPERATIONS[op].arrays


def test_the_file_has_the_keys_that_it_names(tmp_path: Path) -> None:
    program = lower(networks.residual_network(0))
    program.save(tmp_path / "p.npz")
    meta, arrays = native.load(tmp_path / "p.npz", "program")
    assert set(meta) == {"input_shape", "instructions", "source"}
    assert all(f"`{key}`" in PAGE for key in meta)
    assert {name.rpartition("/")[0] for name in arrays} <= {i.name for i in program.instructions}
    assert Program.load(tmp_path / "p.npz").output == "head.linear"
