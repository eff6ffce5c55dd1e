"""Small sets of every form that the loaders read, for the tests."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from aquant_ref.data import cifar10

Maker = Callable[[Path], str]
RECORDS = 20  # in a binary file of CIFAR-10; tests/data/conftest.py says so to the loader


def picture(
    mode: str = "RGB", size: tuple[int, int] = (32, 32), form: str = "PNG", seed: int = 0
) -> bytes:
    """An image file of random pixels."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, form)
    return stream.getvalue()


def records(seed: int = 0) -> bytes:
    """A binary file of CIFAR-10 with RECORDS images."""
    rows = np.random.default_rng(seed).integers(0, 256, (RECORDS, cifar10.RECORD), np.uint8)
    rows[:, 0] = np.arange(RECORDS) % 10
    return rows.tobytes()


def idx_file(array: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def image_folder(path: Path) -> str:
    """train/ and val/ with classes a and b, two images each."""
    for split in ("train", "val"):
        for number, name in enumerate("aabb"):
            file = path / split / name / f"{number % 2}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture(size=(8, 8), seed=number))
    return f"folder:{path}"


def undivided_folder(path: Path) -> str:
    """Classes a and b, with 5 and 13 images."""
    for name, count in (("a", 5), ("b", 13)):
        (path / name).mkdir(parents=True)
        for number in range(count):
            content = picture(size=(8, 8), seed=number + 100 * count)
            (path / name / f"{number}.png").write_bytes(content)
    return f"folder:{path}"


def _idx(path: Path, suffix: str, write: Callable[[bytes], bytes]) -> str:
    path.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28)).astype(np.uint8)
    for prefix in ("train", "t10k"):
        for name, array in (("images-idx3", images), ("labels-idx1", np.arange(6, dtype=np.uint8))):
            (path / f"{prefix}-{name}-ubyte{suffix}").write_bytes(write(idx_file(array)))
    return f"idx:{path}"


def idx_plain(path: Path) -> str:
    """Six images of 28x28 in each split."""
    return _idx(path, "", bytes)


def idx_gzip(path: Path) -> str:
    """The same, as .gz."""
    return _idx(path, ".gz", gzip.compress)


def cifar10_binary(path: Path) -> str:
    """The official binary files, short."""
    path.mkdir(parents=True)
    for number, name in enumerate([*cifar10.FILES["train"], *cifar10.FILES["test"]]):
        (path / name).write_bytes(records(number))
    return f"cifar10:{path}"


def cifar10_archive(path: Path) -> str:
    """The official archive, short."""
    path.mkdir(parents=True)
    with tarfile.open(path / "a.tar.gz", "w:gz") as tar:
        for number, name in enumerate([*cifar10.FILES["train"], *cifar10.FILES["test"]]):
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            content = records(number)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return f"cifar10:{path / 'a.tar.gz'}"


def cifar10_folders(path: Path) -> str:
    """Class folders, an image each."""
    for split in ("train", "test"):
        for number, name in enumerate(cifar10.CLASSES):
            (path / split / name).mkdir(parents=True)
            (path / split / name / "0.png").write_bytes(picture(seed=number))
    return f"cifar10:{path}"


def cifar10_zips(path: Path) -> str:
    """Zips of class folders, an image each."""
    path.mkdir(parents=True)
    for split in ("train", "test"):
        with zipfile.ZipFile(path / f"small-{split}.zip", "w") as archive:
            for number, name in enumerate(cifar10.CLASSES):
                archive.writestr(f"top/{name}/0.png", picture(seed=number))
    return f"cifar10:{path}"


MAKERS: tuple[Maker, ...] = (
    image_folder,
    undivided_folder,
    idx_plain,
    idx_gzip,
    cifar10_binary,
    cifar10_archive,
    cifar10_folders,
    cifar10_zips,
)
