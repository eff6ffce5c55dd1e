"""PROGRAM.md describes exactly the instructions that exist, with their attributes and arrays."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import aquant_ref
from aquant_ref.engine import Program
from aquant_ref.engine.instruction import ARRAYS, NUMBERS, WINDOWS
from aquant_ref.engine.validate_fixed_point import BORDER_NUMBERS, RESCALES
from aquant_ref.formats import native
from aquant_ref.lowering import lower
from tests.engine import networks

PAGE = (Path(aquant_ref.__file__).parent / "engine" / "PROGRAM.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE))


def line(op: str, start: str) -> str:
    (found,) = re.findall(rf"^- {start}: (.*)$", SECTIONS[op], re.MULTILINE)
    return str(found)


def attributes_of(op: str) -> set[str]:
    names = {*WINDOWS.get(op, ()), *NUMBERS.get(op, {})}
    names |= {"padding"} if op in WINDOWS else set()
    names |= {"profile"} if op in RESCALES else set()
    return names | (set(BORDER_NUMBERS) if op == "border" else set())


def test_it_has_a_section_for_each_instruction_in_their_order() -> None:
    assert list(SECTIONS) == list(ARRAYS)


@pytest.mark.parametrize("op", ARRAYS)
def test_a_section_lists_the_attributes(op: str) -> None:
    known = {name for each in ARRAYS for name in attributes_of(each)}
    assert set(re.findall(r"`(\w+)`", line(op, "Attributes"))) & known == attributes_of(op)


@pytest.mark.parametrize("op", ARRAYS)
def test_a_section_lists_the_arrays_with_their_types(op: str) -> None:
    found = re.findall(r"`(\w+)` (\w+(?: or \w+)*)", line(op, "Arrays"))
    assert {name: tuple(types.split(" or ")) for name, types in found} == ARRAYS[op]


def test_the_file_has_the_keys_that_it_names(tmp_path: Path) -> None:
    program = lower(networks.residual_network(0))
    program.save(tmp_path / "p.npz")
    meta, arrays = native.load(tmp_path / "p.npz", "program")
    assert set(meta) == {"input_shape", "instructions", "source"}
    assert all(f"`{key}`" in PAGE for key in meta)
    assert {name.rpartition("/")[0] for name in arrays} <= {i.name for i in program.instructions}
    assert Program.load(tmp_path / "p.npz").output == "head.linear"
