"""What a set is: its files' names, sizes and bytes, not where they lie."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from aquant_ref import data
from aquant_ref.data import digest, shapes
from aquant_ref.errors import InputError
from tests.data import sets


@pytest.mark.parametrize("make", sets.MAKERS, ids=lambda make: make.__name__)
def test_a_set_that_is_moved_is_the_same_and_another_byte_makes_another(
    tmp_path: Path, make: Callable[[Path], str]
) -> None:
    """Past bug: rows of one folder were taken for those of another."""
    spec = make(tmp_path / "one")
    found = data.identity(spec)
    kind, _, path = spec.partition(":")
    assert found.startswith(f"{kind}-")
    moved = tmp_path / "two"
    (tmp_path / "one").rename(moved)
    (moved / "._litter").write_bytes(b"x")
    spec = spec.replace(str(tmp_path / "one"), str(moved))
    assert data.identity(spec) == found
    for file in sorted(each for each in moved.rglob("*") if each.is_file())[1:]:
        content = file.read_bytes()
        os.utime(file, (0, 0))
        assert data.identity(spec) == found
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # of equal name and size
        assert data.identity(spec) != found, file
        file.write_bytes(content)


def test_the_splits_of_a_set_have_identities_of_their_own(tmp_path: Path) -> None:
    spec = sets.image_folder(tmp_path / "set")
    train, test = (data.identity(spec, [split]) for split in data.SPLITS)
    (tmp_path / "set/val/a/0.png").write_bytes(sets.picture(size=(8, 8), seed=5))
    assert data.identity(spec, ["train"]) == train
    assert data.identity(spec, ["test"]) != test


def test_another_name_or_class_of_an_image_makes_another_set(tmp_path: Path) -> None:
    spec = sets.image_folder(tmp_path / "set")
    found = {data.identity(spec)}
    (tmp_path / "set/train/a/0.png").rename(tmp_path / "set/train/a/9.png")
    found.add(data.identity(spec))
    (tmp_path / "set/train/a/9.png").rename(tmp_path / "set/train/b/9.png")
    found.add(data.identity(spec))
    assert len(found) == 3


def test_of_large_sets_the_names_sizes_and_a_sample_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest, "MOST_FILES", 4)
    monkeypatch.setattr(digest, "MOST_BYTES", 4 * 16)
    monkeypatch.setattr(digest, "BLOCK", 2)
    files = {}
    for number in range(10):
        files[f"{number}"] = tmp_path / f"{number}"
        files[f"{number}"].write_bytes(bytes(range(100)))
    found = digest.of_files("set", files)
    for name, place in (("0", 0), ("9", 99), ("3", 95)):  # first, last, and one between them
        content = bytearray(range(100))
        content[place] ^= 1
        files[name].write_bytes(bytes(content))
        assert digest.of_files("set", files) != found
        files[name].write_bytes(bytes(range(100)))
    assert digest.of_files("set", files) == found
    files["1"].write_bytes(bytes(99))
    assert digest.of_files("set", files) != found


def test_the_built_in_set_is_another_one_when_it_is_drawn_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = data.identity("shapes")
    assert found.startswith("shapes-")
    assert found == data.identity("shapes")
    monkeypatch.setattr(shapes, "SLOPE", shapes.SLOPE + 1)
    assert data.identity("shapes") != found


def test_a_set_that_is_not_there_has_no_identity(tmp_path: Path) -> None:
    for kind in ("idx", "folder", "cifar10"):
        with pytest.raises(InputError, match=f"{tmp_path}/none: no such file"):
            data.identity(f"{kind}:{tmp_path}/none")
    spec = sets.image_folder(tmp_path / "set")
    shutil.rmtree(tmp_path / "set/val")
    with pytest.raises(InputError, match="lacks a folder val"):
        data.identity(spec)


def test_a_set_of_the_same_names_under_a_relative_path_is_found_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets.image_folder(tmp_path / "set")
    monkeypatch.chdir(tmp_path)
    spec = data.absolute("folder:set")
    monkeypatch.chdir("/")
    assert spec == f"folder:{tmp_path}/set"
    assert len(data.load(spec, split="test")) == 4
    assert data.absolute("shapes") == "shapes"
