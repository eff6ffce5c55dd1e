"""What is in a folder of class folders: what is read, what is passed over, what is refused.

A class is never dropped and no folder becomes a class by accident, since either would give all
later classes another number. So there are three kinds of entries:

* what an operating system or a program has left there is passed over: names that begin with a dot
  (`.ipynb_checkpoints`, `._x.png`) and those in LITTER (`__MACOSX`, `Thumbs.db`);
* beside class folders, other files (a README, a list of names) are passed over, but not images, nor
  a link to nothing, which may have been a class;
* in a class folder, whatever is not an image file by its suffix is refused by name, and so is a
  folder; links are followed.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from aquant_ref.errors import InputError

SUFFIXES = (
    ".bmp",
    ".gif",
    ".jfif",
    ".jpe",
    ".jpeg",
    ".jpg",
    ".pbm",
    ".pgm",
    ".png",
    ".pnm",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)
LITTER = {
    "$recycle.bin",
    "@eadir",
    "__macosx",
    "desktop.ini",
    "ehthumbs.db",
    "icon\r",
    "lost+found",
    "system volume information",
    "thumbs.db",
}


def is_litter(name: str) -> bool:
    """Whether an entry is hidden, or what a system leaves behind."""
    return name.startswith(".") or name.lower() in LITTER


def is_image(name: str) -> bool:
    """Whether the suffix is that of an image, in upper or lower case."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def listed(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder without litter, by name."""
    with os.scandir(folder) as entries:
        return sorted((e for e in entries if not is_litter(e.name)), key=lambda e: e.name)


def class_folders(root: Path) -> dict[str, list[str]]:
    """The classes of a folder and the images of each, both in the order of their names.

    Raises InputError, which names the entry, for a class without images, what is no image in a
    class folder, an image or a link to nothing beside class folders, and two classes whose names
    differ in case alone.
    """
    classes: dict[str, list[str]] = {}
    for entry in listed(root):
        if entry.is_dir():
            classes[entry.name] = _images_of(root / entry.name)
        elif is_image(entry.name):
            raise InputError(f"{entry.path}: is an image outside of the class folders")
        elif entry.is_symlink() and not entry.is_file():
            raise InputError(f"{entry.path}: is a link to nothing, or to no file or folder")
    if not classes:
        raise InputError(f"{root}: holds no class folders with images")
    check_names(root, classes)
    return classes


def _images_of(folder: Path) -> list[str]:
    entries = listed(folder)
    for entry in entries:
        if entry.is_dir():
            raise InputError(f"{entry.path}: is a folder in a class folder, needs images there")
        if not entry.is_file():
            raise InputError(f"{entry.path}: is not a regular file, or a link to nothing")
        if not is_image(entry.name):
            known = " ".join(SUFFIXES)
            raise InputError(f"{entry.path}: is no image by its suffix, which may be {known}")
    if not entries:
        raise InputError(f"{folder}: is a class without images")
    return [entry.name for entry in entries]


def check_names(where: object, classes: Iterable[str]) -> None:
    """Raise InputError, which names the class, unless names can be written and told apart."""
    seen: dict[str, str] = {}
    for name in classes:
        if not name.isprintable():  # which a byte that is not UTF-8 is not either
            raise InputError(f"{where}: has a class {ascii(name)}, whose name cannot be printed")
        key = unicodedata.normalize("NFC", name).casefold()
        if key in seen:
            raise InputError(f"{where}: has classes of nearly one name, {seen[key]!r} and {name!r}")
        seen[key] = name


def check_same(one: Path, ones: Sequence[str], other: Path, others: Sequence[str]) -> None:
    """Raise InputError, which names a class, unless two folders have the same classes."""
    for path, lacking in ((one, set(others) - set(ones)), (other, set(ones) - set(others))):
        if lacking:
            beside = other if path == one else one
            raise InputError(f"{path}: lacks the class {min(lacking)!r}, which {beside} has")
