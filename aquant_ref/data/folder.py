"""Image folders in the manner of ImageNet: <split>/<class>/<image>, decoded when they are used.

An image is converted to RGB, its shorter side resized to 256 (bilinear), and its centre of 224x224
taken, as the usual evaluation of ImageNet models does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aquant_ref.data.decode import open_image
from aquant_ref.data.images import Images
from aquant_ref.errors import InputError

Array = NDArray[Any]

FOLDERS = {"train": ("train",), "test": ("val", "test")}
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
RESIZED, CROPPED = 256, 224


def load(path: Path, split: str) -> Images:
    """The `split` of the folder `path`; without folders train and val (or test), all of it.

    Classes are the folders in the order of their names. Raises InputError if there are no images.
    """
    root = next((path / name for name in FOLDERS[split] if (path / name).is_dir()), path)
    if root == path and any((path / n).is_dir() for names in FOLDERS.values() for n in names):
        raise InputError(f"{path}: lacks a folder {' or '.join(FOLDERS[split])}")
    if not root.is_dir():
        raise InputError(f"{root}: is a file, needs a folder of class folders")
    files = sorted(each for each in root.glob("*/*") if each.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{root}: holds no class folders with images")
    classes = tuple(sorted({file.parent.name for file in files}))
    labels = np.array([classes.index(file.parent.name) for file in files], np.int64)
    return Images(lambda i: read(files[i]), labels, classes, "folder")


def read(path: Path) -> Array:
    """The image as uint8 (3, 224, 224); raises InputError, which names the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    image = open_image(str(path), data).convert("RGB")
    width, height = image.size
    short = min(width, height)
    size = (max(RESIZED, width * RESIZED // short), max(RESIZED, height * RESIZED // short))
    resized = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - CROPPED) // 2, (size[1] - CROPPED) // 2
    cropped = resized.crop((left, top, left + CROPPED, top + CROPPED))
    return np.asarray(cropped, np.uint8).transpose(2, 0, 1)
