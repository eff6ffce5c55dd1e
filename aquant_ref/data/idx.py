"""Load IDX files, the format of MNIST (LeCun et al., 1998) and its family, plain or .gz.

Grey images become three equal channels; 28x28 images are padded with 2 zero pixels to the 32x32
that the reference models need. A network that reads one channel, or 28x28, gets them so. The
classes of both splits are the numbers from 0 to the largest training label.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from aquant_ref.data.images import Images
from aquant_ref.errors import InputError, counted
from aquant_ref.formats.compressed import open_gzip
from aquant_ref.formats.untrusted import open_file
from aquant_ref.progress import Progress, quiet
from aquant_ref.typing import Pixels

PREFIX = {"train": "train", "test": "t10k"}
RGB = (3, 32, 32)  # what the reference models read
KINDS = {"images": 3, "labels": 1}  # with the number of axes
UNSIGNED_BYTE = 8
LARGEST = 1 << 30  # bytes of one inflated file: twice EMNIST, the largest of the family


def load(path: Path, split: str, _progress: Progress = quiet, shape: Sequence[int] = RGB) -> Images:
    """Load the `split` in the folder `path` for a network that reads images of `shape` (C, H, W).

    Its files are <prefix>-images-idx3-ubyte and <prefix>-labels-idx1-ubyte, and the images become
    uint8 (N, 1 or 3, H, W). Raises InputError, which names the file, if one is missing, truncated
    or of another format, if the numbers of images and labels differ, or if a test label exceeds all
    training labels.
    """
    where = _find(path, split, "labels")
    labels = _read(where, 1).astype(np.int64)
    if len(labels) == 0:
        raise InputError(f"{where}: holds no labels")
    codes = _read(_find(path, split, "images"), 3)
    if len(codes) != len(labels):
        raise InputError(
            f"{where}: holds {counted(len(labels), 'label')} for {counted(len(codes), 'image')}"
        )
    if codes.shape[1:] == (28, 28) != tuple(shape[1:]):
        codes = np.pad(codes, ((0, 0), (2, 2), (2, 2)))
    count = int(labels.max()) + 1
    if split == "test" and (training := _existing(path, "train", "labels")) is not None:
        known = int(_read(training, 1).max(initial=0)) + 1
        if count > known:
            raise InputError(f"{where}: holds the label {count - 1}, which {training} does not")
        count = known
    channels = 1 if shape[0] == 1 else 3
    planes = np.broadcast_to(codes[:, None], (len(codes), channels, *codes.shape[1:]))
    return Images(planes, labels, tuple(map(str, range(count))), "idx")


def files(path: Path, splits: Sequence[str]) -> dict[str, str]:
    """Return the two files of each split by the names that the identity of the set covers.

    Raises InputError, which names the folder, if one is missing.
    """
    return {f"{s} {kind}": str(_find(path, s, kind)) for s in splits for kind in KINDS}


def _existing(path: Path, split: str, kind: str) -> Path | None:
    for dot in "-.":
        for suffix in ("", ".gz"):
            file = path / f"{PREFIX[split]}-{kind}{dot}idx{KINDS[kind]}-ubyte{suffix}"
            # Kaggle has folders of these names too
            if os.path.exists(file) and not os.path.isdir(file):
                return file
    return None


def _find(path: Path, split: str, kind: str) -> Path:
    file = _existing(path, split, kind)
    if file is None:
        name = f"{PREFIX[split]}-{kind}-idx{KINDS[kind]}-ubyte"
        raise InputError(f"{path}: lacks {name}, plain or .gz")
    return file


def _read(path: Path, axes: int) -> Pixels:
    opener = open_gzip if path.suffix == ".gz" else open_file
    with opener(path) as stream:
        return _parse(path, axes, stream)


def _parse(path: Path, axes: int, stream: BinaryIO) -> Pixels:
    start = 4 + 4 * axes
    header = stream.read(start)
    if len(header) < 4 or header[:2] != b"\0\0":
        raise InputError(f"{path}: is not an IDX file")
    if header[2] != UNSIGNED_BYTE or header[3] != axes:
        raise InputError(
            f"{path}: needs type {UNSIGNED_BYTE} (unsigned bytes) in {axes} axes, got type "
            f"{header[2]} in {header[3]}"
        )
    if len(header) < start:
        raise InputError(f"{path}: is truncated (a header of {len(header)} bytes)")
    shape = tuple(int.from_bytes(header[i : i + 4], "big") for i in range(4, start, 4))
    size = int(np.prod(shape, dtype=object))
    if 0 in shape[1:]:
        raise InputError(f"{path}: holds images without pixels, shape {shape}")
    if size > LARGEST:
        raise InputError(f"{path}: claims {size} bytes, shape {shape}; the limit is {LARGEST}")
    data = stream.read(size + 1)  # one more, to notice a longer file
    if len(data) != size:
        what = "is truncated" if len(data) < size else "is too long"
        raise InputError(f"{path}: {what} ({len(data)} bytes or more for shape {shape})")
    return np.frombuffer(data, np.uint8).reshape(shape)
