"""Images to calibrate, train and test on: the built-in set and the usual files.

| set | what |
|---|---|
| `shapes` | built in, drawn by the program (`data.shapes`) |
| `cifar10:PATH` | official binary files (folder or .tar.gz), class folders, or zips of class
folders |
| `idx:PATH` | a folder of IDX files (MNIST and its family), .gz or not |
| `folder:PATH` | image folders in the manner of ImageNet: resized to 256, centre crop of 224 |
"""

from __future__ import annotations

from pathlib import Path

from aquant_ref.data.images import Images
from aquant_ref.errors import InputError
from aquant_ref.progress import Progress, quiet

__all__ = ["SPLITS", "Images", "load", "name"]

SPLITS = ("train", "test")
WITH_PATH = ("cifar10", "idx", "folder")


def _parts(spec: str) -> tuple[str, Path | None]:
    kind, colon, path = spec.partition(":")
    if kind == "shapes" and not colon:
        return kind, None
    if kind in WITH_PATH and path:
        return kind, Path(path)
    if kind in WITH_PATH:
        raise InputError(f"--data {spec}: needs a path, as in {kind}:PATH")
    known = ", ".join(("shapes", *(f"{each}:PATH" for each in WITH_PATH)))
    raise InputError(f"--data {spec}: is not a set; there are {known}")


def name(spec: str) -> str:
    """The name of a set without its path, which weights and recipes go by; raises InputError."""
    return _parts(spec)[0]


def load(spec: str, *, split: str, progress: Progress = quiet) -> Images:
    """The images of a set, `split` "train" or "test".

    Raises InputError, one line that names the file, for an unknown set and whatever is missing,
    truncated or not what it should be.
    """
    if split not in SPLITS:
        raise InputError(f"split: needs train or test, got {split!r}")
    kind, path = _parts(spec)
    # imported on use: the built-in set needs none of the others
    if path is None:
        from aquant_ref.data import shapes

        return shapes.load(split, progress=progress)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if kind == "cifar10":
        from aquant_ref.data import cifar10

        return cifar10.load(path, split, progress=progress)
    if kind == "idx":
        from aquant_ref.data import idx

        return idx.load(path, split)
    from aquant_ref.data import folder

    return folder.load(path, split)
