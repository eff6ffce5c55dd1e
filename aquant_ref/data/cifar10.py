"""Load CIFAR-10 (Krizhevsky, 2009): official binary files, class folders, or zips of such folders.

The order of the images is fixed: that of the official files, or by class and file name. Each split
has all ten classes. Nothing is extracted to disk, and the pickled "python version" is refused.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from aquant_ref.checks import takes_functions
from aquant_ref.data.decode import rgb_exact
from aquant_ref.data.entries import class_folders, is_image, is_litter, listed
from aquant_ref.data.images import Images
from aquant_ref.data.tar import members
from aquant_ref.errors import InputError
from aquant_ref.formats.compressed import open_gzip, open_zip, read_entry
from aquant_ref.formats.untrusted import open_file, read_file
from aquant_ref.progress import Progress, quiet

Read = Callable[[str], bytes]

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
IMAGES_PER_FILE = 10_000
RECORD = 1 + 3 * 32 * 32  # a label, then the red, green and blue planes
PICKLED = "data_batch_1"
ARCHIVE = "tar.gz"  # holds both splits
MOST_IMAGE = 1 << 20  # bytes of an image file: 32x32 pixels have 3072
MOST_ARCHIVE = 256 << 20  # bytes of the inflated archive: the official one has 184 << 20


@takes_functions
def load(path: Path, split: str, progress: Progress = quiet) -> Images:
    """Load the `split` of CIFAR-10 at `path`: uint8 (N, 3, 32, 32).

    Raises InputError, which names the file, for another format, a file or class that is missing or
    damaged, a label above 9, or an image that is not 32x32 RGB.
    """
    by_name = files(path, [split])
    first, file = next(iter(by_name.items()))
    if first == ARCHIVE:
        return _binary(_read_archive(path, split))
    if first in FILES[split]:
        return _binary([(each, _read_binary(each)) for each in by_name.values()])
    if first == f"{split}.zip":
        return _class_zip(Path(file), split, progress)
    names = [name.removeprefix(f"{split}/") for name in by_name]
    root = path / split

    def read(name: str) -> bytes:
        return read_file(root / name, most=MOST_IMAGE)

    return _decode(str(root), names, read, split, progress)


def files(path: Path, splits: Sequence[str]) -> dict[str, str]:
    """Return the files of the splits, in order, by the names that the identity of the set covers.

    Raises InputError, which names the file, for another format, a class that is missing or has no
    images, and a file in a class folder that is not an image.
    """
    return {name: str(file) for split in splits for name, file in _files(path, split).items()}


def _files(path: Path, split: str) -> dict[str, Path]:
    if os.path.isfile(path):
        if zipfile.is_zipfile(path):
            raise InputError(
                f"{path}: is a zip; give the folder that holds *train*.zip and *test*.zip"
            )
        return {ARCHIVE: path}
    if not os.path.isdir(path):
        raise InputError(f"{path}: is neither a file nor a folder")
    folder = path / "cifar-10-batches-bin"
    folder = folder if os.path.isdir(folder) else path
    if any(os.path.exists(folder / name) for names in FILES.values() for name in names):
        for name in FILES[split]:
            if not os.path.exists(folder / name):
                raise InputError(f"{folder}: lacks {name}")
        return {name: folder / name for name in FILES[split]}
    if os.path.exists(folder / PICKLED) or os.path.exists(path / "cifar-10-batches-py"):
        raise InputError(f"{path}: holds the pickled python version; get the binary version")
    if os.path.isdir(path / split):
        images = class_folders(path / split)
        _check_classes(str(path / split), list(images))
        names = [f"{split}/{label}/{name}" for label, each in images.items() for name in each]
        return {name: path / name for name in names}
    return {f"{split}.zip": _archive_of(path, split)}


def _archive_of(path: Path, split: str) -> Path:
    names = [entry.name for entry in listed(path) if entry.name.lower().endswith(".zip")]
    of_splits = {each: [n for n in names if each in n.lower()] for each in FILES}
    for name in set(of_splits["train"]) & set(of_splits["test"]):
        raise InputError(f"{path / name}: has both train and test in its name")
    chosen = of_splits[split]
    if len(chosen) > 1:
        raise InputError(f"{path}: holds {len(chosen)} files *{split}*.zip, needs one")
    if not chosen:
        raise InputError(
            f"{path}: holds neither {FILES[split][0]} nor a folder {split} nor a file *{split}*.zip"
        )
    return path / chosen[0]


def _read_binary(path: str) -> bytes:
    # one byte more than a whole file, to notice a longer one
    with open_file(path) as stream:
        return stream.read(IMAGES_PER_FILE * RECORD + 1)


def _read_archive(path: Path, split: str) -> list[tuple[str, bytes]]:
    with open_file(path) as stream:
        magic = stream.read(2)
    if magic != b"\x1f\x8b":
        raise InputError(f"{path}: is {'not a tar.gz archive' if magic else 'an empty file'}")
    batches: dict[str, bytes] = {}
    with open_gzip(path, most=MOST_ARCHIVE) as inflated:
        for member in members(inflated):
            name = member.path.name
            if any(map(is_litter, member.path.parts)):
                continue
            if name == PICKLED:
                raise InputError(f"{path}: is the pickled python version; get the binary one")
            if name in batches:
                raise InputError(f"{path}: holds {name} twice")
            if name in FILES[split]:
                batches[name] = member.read(IMAGES_PER_FILE * RECORD + 1)
    for name in FILES[split]:
        if name not in batches:
            raise InputError(f"{path}: lacks {name}")
    return [(f"{path}: {name}", batches[name]) for name in FILES[split]]


def _binary(files: list[tuple[str, bytes]]) -> Images:
    batches = []
    for name, data in files:
        if len(data) != IMAGES_PER_FILE * RECORD:
            what = "is truncated" if len(data) < IMAGES_PER_FILE * RECORD else "is too long"
            raise InputError(
                f"{name}: {what} ({len(data)} bytes, not {IMAGES_PER_FILE} records of {RECORD})"
            )
        batch = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
        if batch[:, 0].max() >= len(CLASSES):
            raise InputError(f"{name}: holds the label {batch[:, 0].max()}, beyond 9")
        batches.append(batch)
    records = np.concatenate(batches)
    labels = records[:, 0].astype(np.int64)
    return Images(records[:, 1:].reshape(-1, 3, 32, 32), labels, CLASSES, "cifar10")


def _class_zip(path: Path, split: str, progress: Progress) -> Images:
    with open_zip(path) as archive:
        entries = _entries(path, [info for info in archive.infolist() if not info.is_dir()])

        def read(name: str) -> bytes:
            if entries[name].file_size > MOST_IMAGE:
                raise InputError(f"{path}: {name} is too large for a 32x32 image")
            return read_entry(archive, entries[name])

        _check_classes(str(path), [name.partition("/")[0] for name in entries])
        return _decode(str(path), list(entries), read, split, progress)


def _entries(path: Path, infos: Sequence[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the entries that are images by "class/image", in order.

    All class folders must lie in one folder. The rules of `data.entries` say which entries are
    ignored and which are refused.
    """
    places = {_place(path, info.filename): info for info in infos}
    if len(places) < len(infos):
        kept = {info.filename for info in places.values()}
        twice = next(info.filename for info in infos if info.filename not in kept)
        raise InputError(f"{path}: holds {twice!r} twice, under two spellings")
    places = {place: info for place, info in places.items() if not any(map(is_litter, place))}
    images, folders, others = {}, set[tuple[str, ...]](), []
    for place, info in places.items():
        if not is_image(place[-1]):
            others.append(place)
            continue
        if len(place) < 2:
            raise InputError(f"{path}: {info.filename!r} is an image outside the class folders")
        folders.add(place[:-2])
        images[place[-2:]] = info
    if len(folders) > 1:
        one, other = sorted(map("/".join, folders))[:2]
        raise InputError(f"{path}: holds class folders in {one!r} and in {other!r}, needs one")
    for place in others:
        if any(place[: len(each)] == each and len(place) > len(each) + 1 for each in folders):
            name = places[place].filename
            raise InputError(f"{path}: {name!r} does not have the suffix of an image")
    return {"/".join(each): images[each] for each in sorted(images)}


def _place(path: Path, name: str) -> tuple[str, ...]:
    """Return the parts of an entry's name, without "."."""
    place = PurePosixPath(name)
    if "\\" in name or place.is_absolute() or ".." in place.parts or not place.parts:
        raise InputError(f"{path}: {name!r} is not the relative path of a file")
    return place.parts


def _check_classes(where: str, names: Sequence[str]) -> None:
    """Raise InputError, which names the class, unless `names` are the ten classes of CIFAR-10."""
    if not names:
        raise InputError(f"{where}: holds no class folders with images")
    unknown = sorted(set(names) - set(CLASSES))
    if unknown:
        raise InputError(f"{where}: holds a folder {unknown[0]!r}, not a class of CIFAR-10")
    lacking = sorted(set(CLASSES) - set(names))
    if lacking:
        raise InputError(f"{where}: lacks the class {lacking[0]!r}")


def _decode(where: str, names: Sequence[str], read: Read, split: str, progress: Progress) -> Images:
    codes = np.empty((len(names), 3, 32, 32), np.uint8)
    for i in progress(range(len(names)), f"cifar10 {split}"):
        codes[i] = rgb_exact(f"{where}/{names[i]}", read(names[i]), (32, 32))
    labels = [CLASSES.index(name.partition("/")[0]) for name in names]
    return Images(codes, np.array(labels, np.int64), CLASSES, "cifar10")
