from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from aquant_ref import data
from tests.data.files import refused, rng


def idx_file(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def idx_folder(path: Path, *, zipped: bool = False) -> tuple[Path, np.ndarray]:
    path.mkdir()
    images = rng.integers(0, 256, (6, 28, 28)).astype(np.uint8)
    for prefix in ("train", "t10k"):
        for name, array in (
            ("images-idx3-ubyte", images),
            ("labels-idx1-ubyte", np.arange(6, dtype=np.uint8)),
        ):
            content = idx_file(array)
            if zipped:
                (path / f"{prefix}-{name}.gz").write_bytes(gzip.compress(content))
            else:
                (path / f"{prefix}-{name}").write_bytes(content)
    return path, images


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_images_get_a_frame_and_three_equal_channels(tmp_path: Path, zipped: bool) -> None:
    path, originals = idx_folder(tmp_path / "mnist", zipped=zipped)
    images = data.load(f"idx:{path}", split="test")
    batch = images.batch(np.arange(6))
    assert batch.shape == (6, 3, 32, 32)
    for channel in range(3):
        assert (batch[:, channel, 2:30, 2:30] == originals).all()
    assert batch.sum() == 3 * originals.astype(np.int64).sum()
    assert images.labels.tolist() == list(range(6))


def test_idx_files_beside_folders_of_their_names_are_found(tmp_path: Path) -> None:
    """As Kaggle packs MNIST: one name with a dot, the other that of a folder."""
    path, originals = idx_folder(tmp_path / "mnist")
    for file in list(path.iterdir()):
        file.rename(path / file.name.replace("-idx", ".idx"))
        file.mkdir()
        (file / file.name).write_bytes(b"")
    data.check(f"idx:{path}")
    images = data.load(f"idx:{path}", split="train")
    assert (images.batch(np.arange(6))[:, 0, 2:30, 2:30] == originals).all()


def test_idx_files_that_are_none_are_refused(tmp_path: Path) -> None:
    path, originals = idx_folder(tmp_path / "mnist")
    file = path / "train-images-idx3-ubyte"
    for content, word in (
        (idx_file(originals)[:-1], "truncated"),
        (b"\0\0", "not an IDX"),
        (b"\1\0" + idx_file(originals)[2:], "not an IDX"),
        (b"\0\0\x0d\x03" + idx_file(originals)[4:], "unsigned bytes"),
        (idx_file(originals[:5]), "6 labels for 5 images"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**31, 2**31), "claims"),
    ):
        file.write_bytes(content)
        refused(f"idx:{path}", word)
    file.unlink()
    refused(f"idx:{path}", "lacks train-images")
    file.with_suffix(".gz").write_bytes(b"")
    (path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_file(originals))[:-30])
    refused(f"idx:{path}", "truncated")
