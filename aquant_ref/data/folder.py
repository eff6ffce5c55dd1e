"""Load image folders as for ImageNet, <split>/<class>/<image>; decode each image on use.

An image is converted to RGB (`decode.as_rgb`), its shorter side is resized to 256 (bilinear), and
its centre of 224x224 is cropped: the usual evaluation of ImageNet models. Sizes and offsets are
rounded as in torchvision's Resize and CenterCrop.

Training images are in train/, test images in val/, or in test/ if val/ is missing; both have the
same classes. A folder without any of these, PATH/<class>/<image>, is divided class by class: a
fifth of the images, rounded and at least one, is for the test. The choice depends only on SEED and
the names, not on the seed of a run: the images with the smallest sha256 of "SEED/class/image".
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from aquant_ref.data.decode import as_rgb, open_image
from aquant_ref.data.entries import check_same, class_folders
from aquant_ref.data.images import Images
from aquant_ref.errors import InputError
from aquant_ref.formats.untrusted import read_file
from aquant_ref.progress import Progress, quiet
from aquant_ref.typing import Pixels

Named = list[tuple[str, str]]  # images as "class/image", and their paths

FOLDERS = {"train": ("train",), "test": ("val", "test")}
SEED = 0
TEST_SHARE = 5  # one in so many images of each class
RESIZED, CROPPED = 256, 224
MOST_BYTES = 256 << 20  # of an image file: 50 million uncompressed pixels


def load(path: Path, split: str, _progress: Progress = quiet) -> Images:
    """Load the `split` of the folder `path`; classes are numbered in the order of their names.

    Raises InputError, which names the file, where `files` does; a damaged image is refused when it
    is read.
    """
    classes, images = _listed(path, [split])
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.array([numbers[name.partition("/")[0]] for name, _ in images[split]], np.int64)
    files = [file for _, file in images[split]]
    return Images(lambda i: read(files[i]), labels, classes, "folder")


def files(path: Path, splits: Sequence[str]) -> dict[str, str]:
    """Return the files of the splits by the names that the identity of the set covers.

    Raises InputError, which names the folder or file, for a split or class that is missing or has
    no images, for classes that differ between the splits, and for a file that is not an image.
    """
    _, images = _listed(path, splits)
    return {f"{split}/{name}": file for split in splits for name, file in images[split]}


def division(path: Path) -> str:
    """Return how the folder is divided; "" if it has folders for its splits."""
    if _roots(path):
        return ""
    test = 100 // TEST_SHARE
    return f"split by seed {SEED}: {100 - test} % train, {test} % test"


def _roots(path: Path) -> dict[str, str]:
    """Return the folder of each split; the result is empty if no split has one."""
    for name in (name for names in FOLDERS.values() for name in names):
        if os.path.islink(path / name) and not os.path.exists(path / name):
            raise InputError(f"{path / name}: is a broken link")
    present = {
        split: [n for n in names if os.path.isdir(path / n)] for split, names in FOLDERS.items()
    }
    return {split: names[0] for split, names in present.items() if names}


def _listed(path: Path, splits: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Named]]:
    """Return the classes, and the images of each split as "class/image" with their paths."""
    if not os.path.isdir(path):
        raise InputError(f"{path}: is not a folder; needs a folder of class folders")
    roots = _roots(path)
    if not roots:
        classes = class_folders(path)
        divided = {split: _divided(path, classes, split) for split in FOLDERS}
        return tuple(classes), {split: _named(path, each) for split, each in divided.items()}
    for split in splits:
        if split not in roots:
            raise InputError(f"{path}: lacks a folder {' or '.join(FOLDERS[split])}")
    listed = {split: class_folders(path / root) for split, root in roots.items()}
    if len(listed) == 2:
        train, test = (path / roots[split] for split in FOLDERS)
        check_same(train, list(listed["train"]), test, list(listed["test"]))
    images = {split: _named(path / roots[split], each) for split, each in listed.items()}
    return tuple(listed[splits[0]]), images


def _named(root: Path, classes: Mapping[str, Sequence[str]]) -> Named:
    files = [(each, name) for each, names in classes.items() for name in names]
    return [(f"{each}/{name}", os.sep.join([str(root), each, name])) for each, name in files]


def _divided(path: Path, classes: Mapping[str, Sequence[str]], split: str) -> dict[str, list[str]]:
    """Return the images of one split of a folder that has no folders for its splits."""
    images = {}
    for each, names in classes.items():
        if len(names) < 2:
            raise InputError(f"{path / each}: has 1 image, too few to divide into train and test")
        tested = _tested(each, names)
        images[each] = [name for name in names if (name in tested) == (split == "test")]
    return images


def _tested(class_name: str, names: Sequence[str]) -> set[str]:
    """Return the images of a class that are for the test."""

    def draw(name: str) -> bytes:
        return hashlib.sha256(os.fsencode(f"{SEED}/{class_name}/{name}")).digest()

    count = max((2 * len(names) + TEST_SHARE) // (2 * TEST_SHARE), 1)
    return set(sorted(names, key=draw)[:count])


def read(path: str | Path) -> Pixels:
    """Read an image as uint8 (3, 224, 224); raise InputError, which names the file."""
    image = as_rgb(open_image(str(path), read_file(path, most=MOST_BYTES)))
    short = min(image.size)
    width, height = (int(RESIZED * side / short) for side in image.size)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    # Python rounds halves to even, as CenterCrop does
    left, top = round((width - CROPPED) / 2), round((height - CROPPED) / 2)
    cropped = resized.crop((left, top, left + CROPPED, top + CROPPED))
    return np.asarray(cropped, np.uint8).transpose(2, 0, 1)
