"""IDX files, the format of MNIST and its family, plain or .gz.

Grey images are given in three equal channels; 28x28 images get a frame of 2 zero pixels, so that
they are 32x32 as the reference models need. The classes are the numbers from 0 to the largest
training label, for both splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from aquant_ref.data.images import Images
from aquant_ref.errors import InputError
from aquant_ref.formats.compressed import open_gzip
from aquant_ref.formats.untrusted import open_file
from aquant_ref.progress import Progress, quiet

Array = NDArray[Any]

PREFIX = {"train": "train", "test": "t10k"}
KINDS = {"images": 3, "labels": 1}  # and the number of axes
UNSIGNED_BYTE = 8
LARGEST = 1 << 30  # bytes of one file after decompression: twice EMNIST, the largest of the family


def load(path: Path, split: str, *, progress: Progress = quiet) -> Images:
    """The `split` in the folder `path`: <prefix>-images-idx3-ubyte and <prefix>-labels-idx1-ubyte.

    Raises InputError, which names the file, if one is missing, truncated, of another kind, if the
    numbers of images and labels differ, or if no training image has a label of the test.
    """
    where = _find(path, split, "labels")
    labels = _read(where, 1).astype(np.int64)
    if len(labels) == 0:
        raise InputError(f"{where}: holds no labels")
    codes = _read(_find(path, split, "images"), 3)
    if len(codes) != len(labels):
        raise InputError(f"{where}: holds {len(labels)} labels for {len(codes)} images")
    if codes.shape[1:] == (28, 28):
        codes = np.pad(codes, ((0, 0), (2, 2), (2, 2)))
    count = int(labels.max()) + 1
    if split == "test" and (training := _existing(path, "train", "labels")) is not None:
        known = int(_read(training, 1).max(initial=0)) + 1
        if count > known:
            raise InputError(f"{where}: holds the label {count - 1}, which {training} does not")
        count = known
    planes = np.broadcast_to(codes[:, None], (len(codes), 3, *codes.shape[1:]))
    return Images(planes, labels, tuple(map(str, range(count))), "idx")


def files(path: Path, splits: Sequence[str]) -> dict[str, str]:
    """The two files of each split by the names that make up the identity of the set.

    Raises InputError, which names the folder, for one that is missing.
    """
    return {f"{s} {kind}": str(_find(path, s, kind)) for s in splits for kind in KINDS}


def _existing(path: Path, split: str, kind: str) -> Path | None:
    for dot in "-.":
        for suffix in ("", ".gz"):
            file = path / f"{PREFIX[split]}-{kind}{dot}idx{KINDS[kind]}-ubyte{suffix}"
            if file.exists() and not file.is_dir():  # Kaggle has folders of these names as well
                return file
    return None


def _find(path: Path, split: str, kind: str) -> Path:
    file = _existing(path, split, kind)
    if file is None:
        name = f"{PREFIX[split]}-{kind}-idx{KINDS[kind]}-ubyte"
        raise InputError(f"{path}: lacks {name}, plain or .gz")
    return file


def _read(path: Path, axes: int) -> Array:
    opened = open_gzip if path.suffix == ".gz" else open_file
    with opened(path) as stream:
        return _parse(path, axes, stream)


def _parse(path: Path, axes: int, stream: BinaryIO) -> Array:
    start = 4 + 4 * axes
    header = stream.read(start)
    if len(header) < 4 or header[:2] != b"\0\0":
        raise InputError(f"{path}: is not an IDX file")
    if header[2] != UNSIGNED_BYTE or header[3] != axes:
        raise InputError(
            f"{path}: needs unsigned bytes in {axes} axes, says {header[2]}, {header[3]}"
        )
    if len(header) < start:
        raise InputError(f"{path}: is truncated (a header of {len(header)} bytes)")
    shape = tuple(int.from_bytes(header[i : i + 4], "big") for i in range(4, start, 4))
    size = int(np.prod(shape, dtype=object))
    if 0 in shape[1:]:
        raise InputError(f"{path}: holds images without pixels, shape {shape}")
    if size > LARGEST:
        raise InputError(f"{path}: claims {size} bytes, shape {shape}; {LARGEST} are read at most")
    data = stream.read(size + 1)  # one more, to see that it is too long
    if len(data) != size:
        what = "is truncated" if len(data) < size else "is too long"
        raise InputError(f"{path}: {what} ({len(data)} bytes or more for shape {shape})")
    return np.frombuffer(data, np.uint8).reshape(shape)
