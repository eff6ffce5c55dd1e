"""IDX files, the format of MNIST and its family, plain or .gz.

Grey images are given in three equal channels; 28x28 images get a frame of 2 zero pixels, so that
they are 32x32 as the reference models need.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.data.images import Images
from aquant_ref.errors import InputError

Array = NDArray[Any]

PREFIX = {"train": "train", "test": "t10k"}
UNSIGNED_BYTE = 8
LARGEST = 1 << 31  # bytes of one file after decompression


def load(path: Path, split: str) -> Images:
    """The `split` in the folder `path`: <prefix>-images-idx3-ubyte and <prefix>-labels-idx1-ubyte.

    Raises InputError, which names the file, if one is missing, truncated, of another kind, or if
    the numbers of images and labels differ.
    """
    codes = _read(_find(path, PREFIX[split], "images", 3), 3)
    where = _find(path, PREFIX[split], "labels", 1)
    labels = _read(where, 1).astype(np.int64)
    if len(codes) != len(labels):
        raise InputError(f"{where}: holds {len(labels)} labels for {len(codes)} images")
    if len(codes) == 0:
        raise InputError(f"{where}: holds no labels")
    if codes.shape[1:] == (28, 28):
        codes = np.pad(codes, ((0, 0), (2, 2), (2, 2)))
    classes = tuple(str(number) for number in range(int(labels.max()) + 1))
    return Images(np.repeat(codes[:, None], 3, axis=1), labels, classes, "idx")


def _find(path: Path, prefix: str, what: str, axes: int) -> Path:
    for dot in "-.":
        for suffix in ("", ".gz"):
            file = path / f"{prefix}-{what}{dot}idx{axes}-ubyte{suffix}"
            if file.exists():
                return file
    raise InputError(f"{path}: lacks {prefix}-{what}-idx{axes}-ubyte, plain or .gz")


def _read(path: Path, axes: int) -> Array:
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as stream:
            data = stream.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: is truncated or damaged ({error})") from error
    if len(data) > LARGEST:
        raise InputError(f"{path}: is larger than {LARGEST} bytes")
    start = 4 + 4 * axes
    if len(data) < start or data[:2] != b"\0\0":
        raise InputError(f"{path}: is not an IDX file")
    if data[2] != UNSIGNED_BYTE or data[3] != axes:
        raise InputError(f"{path}: needs unsigned bytes in {axes} axes, says {data[2]}, {data[3]}")
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    if len(data) - start != int(np.prod(shape, dtype=object)):
        raise InputError(f"{path}: is truncated ({len(data) - start} bytes for shape {shape})")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
