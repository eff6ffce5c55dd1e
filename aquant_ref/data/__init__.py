"""Images to calibrate, train and test on: the built-in set and the usual files.

| set | what |
|---|---|
| `shapes` | built in, drawn by the program (`data.shapes`) |
| `cifar10:PATH` | official binary files (folder or .tar.gz), class folders, or zips of class
folders |
| `idx:PATH` | a folder of IDX files (MNIST and its family), .gz or not |
| `folder:PATH` | image folders in the manner of ImageNet: resized to 256, centre crop of 224 |

`data.entries` says what is passed over and what is refused in class folders, `data.decode` what
becomes of an image of each kind, `data.folder` how a folder without train/ and val/ is divided.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from aquant_ref.checks import shown
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
            raise InputError(f"data {kind}:{ascii(path)}: is a name that cannot be printed")
        return kind, Path(path)
    if kind in WITH_PATH:
        raise InputError(f"data {spec}: needs a path, as in {kind}:PATH")
    raise InputError(unknown("data set", spec, ("shapes", *(f"{each}:PATH" for each in WITH_PATH))))


@contextmanager
def _loader(spec: str) -> Iterator[tuple[Any, Path]]:
    """Yield the module for a set with a path, and the path, which exists.

    It is imported on use: the built-in set needs none of them. What the system refuses in the block
    becomes InputError, which names the file.
    """
    kind, path = _parts(spec)
    assert path is not None
    try:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        yield import_module(f"aquant_ref.data.{kind}"), path
    except OSError as error:
        where = error.filename or path
        raise InputError(f"{where}: cannot be read ({error.strerror or error})") from error


def name(spec: str) -> str:
    """The name of a set without its path, which weights and recipes go by; raises InputError."""
    return _parts(spec)[0]


def absolute(spec: str) -> str:
    """The set with an absolute path, which finds it from any folder; raises InputError."""
    kind, path = _parts(spec)
    return kind if path is None else f"{kind}:{os.path.abspath(path)}"


def check(spec: str, splits: Sequence[str] = SPLITS) -> None:
    """Raise InputError, which names it, for a file of a set that is missing or in two splits.

    Nothing is decoded, so this comes before anything else is read.
    """
    if _parts(spec)[1] is not None:
        with _loader(spec) as (module, path):
            _files(module, path, splits)


def _files(module: Any, path: Path, splits: Sequence[str]) -> dict[str, str]:
    """The files of the splits by their names in the set.

    Raises InputError for one that two splits have: a network would be tested on images that it has
    seen. An archive that holds both has one name in either.
    """
    found: dict[str, str] = {}
    owners: dict[tuple[int, int], tuple[str, str]] = {}
    for split in splits:
        _check_split(split)
        for name, file in module.files(path, [split]).items():
            status = os.stat(file)
            owner, first = owners.setdefault((status.st_dev, status.st_ino), (split, name))
            if owner != split and first != name:
                raise InputError(f"{file}: is one file with {first!r}, so both splits have it")
            found[name] = file
    return found


def identity(spec: str, splits: Sequence[str] = SPLITS) -> str:
    """What the images of a set are, in one short text, as in "folder-0123456789abcdef".

    It does not depend on where the files lie. `data.digest` says what of them is read; 50,000
    files take less than a second. Raises InputError as `check`.
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
    """How a set that comes undivided is divided into training and test images; "" for others."""
    if _parts(spec)[0] != "folder":
        return ""
    with _loader(spec) as (module, path):
        text: str = module.division(path)
    return text


def title(spec: str) -> str:
    """The name of a set and how it is divided, for the head of a table."""
    return ", ".join(filter(None, (name(spec), division(spec))))


def load(spec: str, *, split: str, progress: Progress = quiet) -> Images:
    """The images of a set, `split` "train" or "test".

    Raises InputError, one line that names the file, for an unknown set and whatever is missing,
    truncated or not what it should be.
    """
    _check_split(split)
    if _parts(spec)[1] is None:
        from aquant_ref.data import shapes

        return shapes.load(split, progress=progress)
    with _loader(spec) as (module, path):
        images: Images = module.load(path, split, progress=progress)
    return images
