"""Image folders in the manner of ImageNet: <split>/<class>/<image>, decoded when they are used.

An image is converted to RGB (`decode.as_rgb`), its shorter side resized to 256 (bilinear), and its
centre of 224x224 taken, as the usual evaluation of ImageNet models does; sizes and places are
rounded as torchvision's Resize and CenterCrop round them.

Training images are in train/, test images in val/, or in test/ where there is no val/; both have
the same classes. A folder without any of them, PATH/<class>/<image>, is divided class by class: a
fifth of the images, rounded and at least one, is for the test. Which ones they are depends on SEED
and their names alone, not on the seed of a run: those with the smallest sha256 of
"SEED/class/image".
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aquant_ref.data.decode import as_rgb, open_image
from aquant_ref.data.entries import check_same, class_folders
from aquant_ref.data.images import Images
from aquant_ref.errors import InputError
from aquant_ref.formats.untrusted import read_file
from aquant_ref.progress import Progress, quiet

Array = NDArray[Any]
Named = list[tuple[str, str]]  # images as "class/image", and their paths

FOLDERS = {"train": ("train",), "test": ("val", "test")}
SEED = 0
TEST_SHARE = 5  # one in so many images of each class
RESIZED, CROPPED = 256, 224
MOST_BYTES = 256 << 20  # of an image file: 50 million pixels, not compressed


def load(path: Path, split: str, *, progress: Progress = quiet) -> Images:
    """The `split` of the folder `path`. Classes are numbered in the order of their names.

    Raises InputError, which names the file, as `files`; a damaged image is refused when it is read.
    """
    classes, images = _listed(path, [split])
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.array([numbers[name.partition("/")[0]] for name, _ in images[split]], np.int64)
    files = [file for _, file in images[split]]
    return Images(lambda i: read(files[i]), labels, classes, "folder")


def files(path: Path, splits: Sequence[str]) -> dict[str, str]:
    """The files of the splits by the names that make up the identity of the set.

    Raises InputError, which names the folder or file, for splits or classes that are missing,
    without images or not the same in both splits, and for what is no image among them.
    """
    _, images = _listed(path, splits)
    return {f"{split}/{name}": file for split in splits for name, file in images[split]}


def division(path: Path) -> str:
    """How the folder is divided; "" where it has folders of its own for that."""
    if _roots(path):
        return ""
    test = 100 // TEST_SHARE
    return f"split by seed {SEED}: {100 - test} % train, {test} % test"


def _roots(path: Path) -> dict[str, str]:
    """The folder of each split; nothing where there is none of them."""
    for name in (name for names in FOLDERS.values() for name in names):
        if (path / name).is_symlink() and not (path / name).exists():
            raise InputError(f"{path / name}: is a link to nothing")
    there = {split: [n for n in names if (path / n).is_dir()] for split, names in FOLDERS.items()}
    return {split: names[0] for split, names in there.items() if names}


def _listed(path: Path, splits: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Named]]:
    """The classes, and the images of each split as "class/image" and its path."""
    if not path.is_dir():
        raise InputError(f"{path}: is not a folder, needs one of class folders")
    roots = _roots(path)
    if not roots:
        classes = class_folders(path)
        parts = {split: _part(path, classes, split) for split in FOLDERS}
        return tuple(classes), {split: _named(path, part) for split, part in parts.items()}
    for split in splits:
        if split not in roots:
            raise InputError(f"{path}: lacks a folder {' or '.join(FOLDERS[split])}")
    found = {split: class_folders(path / root) for split, root in roots.items()}
    if len(found) == 2:
        train, test = (path / roots[split] for split in FOLDERS)
        check_same(train, list(found["train"]), test, list(found["test"]))
    images = {split: _named(path / roots[split], each) for split, each in found.items()}
    return tuple(found[splits[0]]), images


def _named(root: Path, classes: Mapping[str, Sequence[str]]) -> Named:
    files = [(each, name) for each, names in classes.items() for name in names]
    return [(f"{each}/{name}", os.sep.join([str(root), each, name])) for each, name in files]


def _part(path: Path, classes: Mapping[str, Sequence[str]], split: str) -> dict[str, list[str]]:
    """The images of one split of a folder that is divided here."""
    part = {}
    for each, names in classes.items():
        if len(names) < 2:
            raise InputError(f"{path / each}: has 1 image, too few to divide into train and test")
        tested = _tested(each, names)
        part[each] = [name for name in names if (name in tested) == (split == "test")]
    return part


def _tested(class_name: str, names: Sequence[str]) -> set[str]:
    """The images of a class that are for the test."""

    def draw(name: str) -> bytes:
        return hashlib.sha256(os.fsencode(f"{SEED}/{class_name}/{name}")).digest()

    count = max((2 * len(names) + TEST_SHARE) // (2 * TEST_SHARE), 1)
    return set(sorted(names, key=draw)[:count])


def read(path: str | Path) -> Array:
    """The image as uint8 (3, 224, 224); raises InputError, which names the file."""
    image = as_rgb(open_image(str(path), read_file(path, most=MOST_BYTES)))
    short = min(image.size)
    width, height = (int(RESIZED * side / short) for side in image.size)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    # Python rounds halves to even, and so CenterCrop does
    left, top = round((width - CROPPED) / 2), round((height - CROPPED) / 2)
    cropped = resized.crop((left, top, left + CROPPED, top + CROPPED))
    return np.asarray(cropped, np.uint8).transpose(2, 0, 1)
