from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.data.files import class_zips, picture, refused


def test_a_truncated_zip_or_two_of_them_are_refused(tmp_path: Path) -> None:
    path = class_zips(tmp_path / "set")
    whole = (path / "small-train.zip").read_bytes()
    (path / "small-train.zip").write_bytes(whole[: len(whole) // 2])
    refused(f"cifar10:{path}", "small-train.zip")
    refused(f"cifar10:{path / 'small-test.zip'}", "give the folder")
    (path / "other-train.zip").write_bytes(whole)
    refused(f"cifar10:{path}", "2 files", "needs one")
    (path / "small-train.zip").unlink()
    (path / "other-train.zip").unlink()
    refused(f"cifar10:{path}", "holds neither")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_entry_is_refused_however_it_is_compressed(tmp_path: Path, method: int) -> None:
    """Past bug: a traceback of lzma."""
    path = tmp_path / "train.zip"
    with zipfile.ZipFile(path, "w", method) as z:
        z.writestr("frog/0.png", picture())
    whole = bytearray(path.read_bytes())
    start = 30 + len("frog/0.png") + 12
    for place in range(start, start + 60, 7):
        damaged = bytearray(whole)
        damaged[place : place + 40] = bytes(40)
        path.write_bytes(bytes(damaged))
        refused(f"cifar10:{tmp_path}", "train.zip", "damaged")
