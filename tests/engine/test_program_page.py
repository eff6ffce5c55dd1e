"""PROGRAM.md describes exactly the instructions that exist, with their attributes and arrays."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

import aquant_ref
from aquant_ref.engine import Program
from aquant_ref.engine.operations import OPERATIONS, QUANTIZES
from aquant_ref.formats import native
from aquant_ref.integer import geometry
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


def test_the_instructions_of_the_example_have_their_attributes() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    shown = [json.loads(each) for each in re.split(r"\n(?=\{)", block)]
    assert [each["op"] for each in shown] == ["conv2d", "threshold"]
    for each in shown:
        assert each["attributes"].keys() == OPERATIONS[each["op"]].attributes.keys()
        assert each.keys() == {"name", "op", "inputs", "attributes"}
        assert all(f"`{each['name']}/{key}`" in PAGE for key in OPERATIONS[each["op"]].arrays)


def test_the_bytes_of_an_array_are_those_that_it_describes(tmp_path: Path) -> None:
    lower(networks.residual_network(0)).save(tmp_path / "p.npz")
    with zipfile.ZipFile(tmp_path / "p.npz") as archive:
        assert archive.namelist()[0] == "header.json"
        stored = archive.read("stem.conv.acc/zero_point.npy")
        assert all(each.compress_type == zipfile.ZIP_STORED for each in archive.infolist())
    (start,) = re.findall(r"`((?:[0-9A-F]{2} ){7}[0-9A-F]{2})`", PAGE)
    assert stored.startswith(bytes.fromhex(start))
    header = stored[10 : 10 + int.from_bytes(stored[8:10], "little")].decode()
    assert header.strip() == "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }"
    assert header.strip().replace("(2,)", "(8, 3)") in PAGE


def test_the_file_has_the_keys_that_it_names(tmp_path: Path) -> None:
    program = lower(networks.residual_network(0))
    program.save(tmp_path / "p.npz")
    meta, arrays = native.load(tmp_path / "p.npz", "program")
    assert set(meta) == {"input_shape", "instructions", "source"}
    assert all(f"`{key}`" in PAGE for key in meta)
    assert {name.rpartition("/")[0] for name in arrays} <= {i.name for i in program.instructions}
    assert Program.load(tmp_path / "p.npz").output == "head.linear"


def test_a_recorded_run_holds_what_it_names() -> None:
    (ops,) = re.findall(r"records what each (.*) makes, and the logits", PAGE)
    assert set(re.findall(r"`(\w+)`", ops)) == set(QUANTIZES)


def test_the_largest_sizes_are_those_that_are_accepted() -> None:
    limits = (geometry.LARGEST_TENSOR, geometry.LARGEST_CHANNELS, geometry.LARGEST_WINDOW)
    elements, channels, pixels = (limit.bit_length() - 1 for limit in limits)
    assert f"at most 2^{elements} elements an image and 2^{channels} channels" in PAGE
    assert f"a window has at most 2^{pixels} pixels" in PAGE
