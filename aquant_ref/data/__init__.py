"""Load images to calibrate, train and test on: the built-in set, or files in common formats.

| set | content |
|---|---|
| `shapes` | built in, drawn by the program (`data.shapes`) |
| `cifar10:PATH` | CIFAR-10: official binary files, class folders, or zips of class folders |
| `idx:PATH` | a folder of IDX files (MNIST and its family), plain or .gz |
| `folder:PATH` | image folders as for ImageNet: resized to 256, centre crop of 224 |

`data.entries` says which files of a class folder are ignored and which are refused, `data.decode`
how each kind of image is converted, `data.folder` how a folder without train/ and val/ is split.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from aquant_ref.checks import shown, takes_functions
from aquant_ref.data.images import Images
from aquant_ref.errors import InputError, unknown
from aquant_ref.progress import Progress, quiet

__all__ = [
    "SPLITS",
    "Images",
    "absolute",
    "check",
    "division",
    "identity",
    "load",
    "name",
    "title",
]

SPLITS = ("train", "test")
WITH_PATH = ("cifar10", "idx", "folder")


def _parts(spec: str) -> tuple[str, Path | None]:
    if not isinstance(spec, str):
        raise InputError(f"data: needs text such as folder:PATH, got {shown(spec)}")
    kind, colon, path = spec.partition(":")
    if kind == "shapes" and not colon:
        return kind, None
    if kind in WITH_PATH and path:
        if not path.isprintable():  # a byte that is not UTF-8, a zero
            raise InputError(f"data {kind}:{ascii(path)}: has characters that cannot be printed")
        return kind, Path(path)
    if kind in WITH_PATH:
        raise InputError(f"data {spec}: needs a path, as in {kind}:PATH")
    raise InputError(unknown("data set", spec, ("shapes", *(f"{each}:PATH" for each in WITH_PATH))))


@contextmanager
def _loader(spec: str) -> Iterator[tuple[Any, Path]]:
    """Yield the module of a set with a path, and the path, which exists.

    The module is imported here, because the built-in set needs none of them. An OSError from the
    block becomes InputError, which names the file.
    """
    kind, path = _parts(spec)
    assert path is not None
    try:
        if not os.path.exists(path):
            raise InputError(f"{path}: no such file or folder")
        yield import_module(f"aquant_ref.data.{kind}"), path
    except OSError as error:
        where = error.filename or path
        raise InputError(f"{where}: cannot be read ({error.strerror or error})") from error


def name(spec: str) -> str:
    """Return the name of a set without its path, by which weights and recipes are stored.

    Raises InputError for an unknown set.
    """
    return _parts(spec)[0]


def absolute(spec: str) -> str:
    """Return the set with an absolute path, valid in any folder; raise InputError if unknown."""
    kind, path = _parts(spec)
    return kind if path is None else f"{kind}:{os.path.abspath(path)}"


def check(spec: str, splits: Sequence[str] = SPLITS) -> None:
    """Raise InputError, which names the file, if a file of a set is missing or in two splits.

    No image is decoded, so this check is fast enough to come first.
    """
    if _parts(spec)[1] is not None:
        with _loader(spec) as (module, path):
            _files(module, path, splits)


def _files(module: Any, path: Path, splits: Sequence[str]) -> dict[str, str]:
    """Return the files of the splits by their names in the set.

    Raises InputError for a file in two splits, since a network would be tested on images that it
    was trained on. An archive of both splits has the same name in each.
    """
    by_name: dict[str, str] = {}
    owners: dict[tuple[int, int], tuple[str, str]] = {}
    for split in splits:
        _check_split(split)
        for name, file in module.files(path, [split]).items():
            status = os.stat(file)
            owner, first = owners.setdefault((status.st_dev, status.st_ino), (split, name))
            if owner != split and first != name:
                raise InputError(f"{file}: is the same file as {first!r} of the other split")
            by_name[name] = file
    return by_name


def identity(spec: str, splits: Sequence[str] = SPLITS) -> str:
    """Return a short text that identifies the images of a set, as in "folder-0123456789abcdef".

    It does not depend on the location of the files. `data.digest` says which bytes it covers;
    50,000 files take less than a second. Raises InputError where `check` does.
    """
    if _parts(spec)[1] is None:
        from aquant_ref.data import shapes

        return shapes.identity()
    from aquant_ref.data.digest import of_files

    with _loader(spec) as (module, path):
        return of_files(name(spec), _files(module, path, splits))


def _check_split(split: Any) -> None:
    if split not in SPLITS:
        raise InputError(f"split: needs train or test, got {shown(split)}")


def division(spec: str) -> str:
    """Return how a set without splits is divided into training and test; "" for others."""
    if _parts(spec)[0] != "folder":
        return ""
    with _loader(spec) as (module, path):
        text: str = module.division(path)
    return text


def title(spec: str) -> str:
    """Return the name of a set and how it is divided, for the title of a table."""
    return ", ".join(filter(None, (name(spec), division(spec))))


@takes_functions
def load(
    spec: str, *, split: str, progress: Progress = quiet, shape: Sequence[int] | None = None
) -> Images:
    """Load the images of a set; `split` is "train" or "test".

    `shape` (C, H, W) is what a network reads: IDX files give grey images in one channel, or in
    their own 28x28, where that is it. Raises InputError, one line that names the file, for an
    unknown set and for a file that is missing, damaged or of another format.
    """
    _check_split(split)
    if _parts(spec)[1] is None:
        from aquant_ref.data import shapes

        return shapes.load(split, progress=progress)
    with _loader(spec) as (module, path):
        wanted = {"shape": shape} if shape is not None and module.__name__.endswith(".idx") else {}
        images: Images = module.load(path, split, progress, **wanted)
    return images
