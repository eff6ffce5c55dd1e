"""CIFAR-10: official binary files, class folders of images, or zips of class folders.

The order of the images is fixed: that of the official files, or by class and file name.
Nothing is extracted to disk, and the pickled "python version" is refused, not read.
"""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.data.decode import rgb_exact
from aquant_ref.data.images import Images
from aquant_ref.errors import InputError
from aquant_ref.progress import Progress, quiet

Array = NDArray[Any]
Read = Callable[[int], bytes]

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
SUFFIXES = (".jpg", ".jpeg", ".png")


def load(path: Path, split: str, *, progress: Progress = quiet) -> Images:
    """The `split` of CIFAR-10 at `path`: uint8 (N, 3, 32, 32).

    Raises InputError, which names the file, for a form that is not one of these, files missing,
    truncated or damaged, labels above 9, or images that are not 32x32 RGB.
    """
    if path.is_file():
        if zipfile.is_zipfile(path):
            raise InputError(
                f"{path}: is a zip; give the folder that holds *train*.zip and *test*.zip"
            )
        return _binary(_read_archive(path, split))
    folder = path / "cifar-10-batches-bin"
    folder = folder if folder.is_dir() else path
    if any((folder / name).exists() for names in FILES.values() for name in names):
        return _binary([(str(folder / n), _read_file(folder / n)) for n in FILES[split]])
    if (folder / PICKLED).exists() or (path / "cifar-10-batches-py").exists():
        raise InputError(f"{path}: holds the pickled python version; get the binary version")
    if (path / split).is_dir():
        return _class_folders(path / split, split, progress)
    archives = sorted(path.glob(f"*{split}*.zip"))
    if len(archives) == 1:
        return _class_zip(archives[0], split, progress)
    if archives:
        raise InputError(f"{path}: holds {len(archives)} files *{split}*.zip, needs one")
    raise InputError(
        f"{path}: holds neither {FILES[split][0]} nor a folder {split} nor a file *{split}*.zip"
    )


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read_archive(path: Path, split: str) -> list[tuple[str, bytes]]:
    found: dict[str, bytes] = {}
    try:
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                if name == PICKLED:
                    raise InputError(f"{path}: is the pickled python version; get the binary one")
                if name in FILES[split] and member.isfile():
                    file = archive.extractfile(member)
                    # one byte more than a whole file: enough to see that it is too long
                    found[name] = file.read(IMAGES_PER_FILE * RECORD + 1) if file else b""
            while stream.read(1 << 20):  # to the end, where gzip has its checksum
                pass
    except gzip.BadGzipFile as error:
        raise InputError(f"{path}: is not a tar.gz archive, or is damaged ({error})") from error
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise InputError(f"{path}: is truncated or damaged ({error})") from error
    for name in FILES[split]:
        if name not in found:
            raise InputError(f"{path}: lacks {name}")
    return [(f"{path}: {name}", found[name]) for name in FILES[split]]


def _binary(files: list[tuple[str, bytes]]) -> Images:
    parts = []
    for name, data in files:
        if len(data) != IMAGES_PER_FILE * RECORD:
            what = "is truncated" if len(data) < IMAGES_PER_FILE * RECORD else "is too long"
            raise InputError(
                f"{name}: {what} ({len(data)} bytes, not {IMAGES_PER_FILE} records of {RECORD})"
            )
        parts.append(np.frombuffer(data, np.uint8).reshape(-1, RECORD))
        if parts[-1][:, 0].max() >= len(CLASSES):
            raise InputError(f"{name}: holds the label {parts[-1][:, 0].max()}, beyond 9")
    records = np.concatenate(parts)
    labels = records[:, 0].astype(np.int64)
    return Images(records[:, 1:].reshape(-1, 3, 32, 32), labels, CLASSES, "cifar10")


def _class_folders(path: Path, split: str, progress: Progress) -> Images:
    names = sorted(
        (each.parent.name, each.name)
        for each in path.glob("*/*")
        if each.suffix.lower() in SUFFIXES
    )

    def read(i: int) -> bytes:
        return _read_file(path / names[i][0] / names[i][1])

    return _decode(str(path), [f"{label}/{name}" for label, name in names], read, split, progress)


def _class_zip(path: Path, split: str, progress: Progress) -> Images:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = sorted(
                (PurePosixPath(info.filename).parts[-2:], info.filename)
                for info in archive.infolist()
                if PurePosixPath(info.filename).suffix.lower() in SUFFIXES
                and len(PurePosixPath(info.filename).parts) >= 2
            )
            names = ["/".join(parts) for parts, _ in entries]

            def read(i: int) -> bytes:
                info = archive.getinfo(entries[i][1])
                if info.file_size > 1 << 20:
                    raise InputError(f"{path}: {names[i]} is too large for a 32x32 image")
                try:
                    return archive.read(info)
                except Exception as error:  # each way of compression has its own
                    raise InputError(f"{path}: {names[i]} is damaged ({error})") from error

            return _decode(str(path), names, read, split, progress)
    except (zipfile.BadZipFile, EOFError, RuntimeError, UnicodeError, OSError) as error:
        raise InputError(f"{path}: is truncated or damaged ({error})") from error


def _decode(where: str, names: Sequence[str], read: Read, split: str, progress: Progress) -> Images:
    if not names:
        raise InputError(f"{where}: holds no class folders with images")
    labels = [name.split("/")[0] for name in names]
    unknown = sorted(set(labels) - set(CLASSES))
    if unknown:
        raise InputError(f"{where}: holds a folder {unknown[0]!r}, which is no class of CIFAR-10")
    codes = np.empty((len(names), 3, 32, 32), np.uint8)
    for i in progress(range(len(names)), f"cifar10 {split}"):
        codes[i] = rgb_exact(f"{where}/{names[i]}", read(i), (32, 32))
    return Images(codes, np.array([CLASSES.index(c) for c in labels], np.int64), CLASSES, "cifar10")
