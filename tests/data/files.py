"""Files of sets of images, as they are downloaded."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aquant_ref import data
from aquant_ref.data import cifar10
from aquant_ref.errors import InputError
from tests.data import sets

rng = np.random.default_rng(0)


RECORDS = sets.RECORDS


def records(count: int = RECORDS) -> bytes:
    rows = rng.integers(0, 256, (count, cifar10.RECORD)).astype(np.uint8)
    rows[:, 0] = np.arange(count) % 10
    return rows.tobytes()


def binary_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    for names in cifar10.FILES.values():
        for name in names:
            (path / name).write_bytes(records())
    return path


def archive(path: Path, source: Path) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        tar.add(source, arcname="cifar-10-batches-bin")
    return path


def picture(mode: str = "RGB", size: tuple[int, int] = (32, 32), form: str = "PNG") -> bytes:
    pixels = rng.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, form)
    return stream.getvalue()


def class_zips(path: Path) -> Path:
    path.mkdir()
    for split in ("train", "test"):
        with zipfile.ZipFile(path / f"small-{split}.zip", "w") as z:
            for name in reversed(cifar10.CLASSES):  # the order in the archive does not count
                z.writestr(f"top/{name}/1.png", picture())
                z.writestr(f"top/{name}/0.png", picture())
    return path


def refused(spec: str, *words: str, split: str = "train") -> None:
    with pytest.raises(InputError) as caught:
        data.load(spec, split=split)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
