"""List the images of class folders: which entries are read, ignored or refused.

A class that is dropped, or a folder that becomes a class by accident, would renumber all later
classes. Therefore:

* names that operating systems and programs leave behind are ignored: those that begin with a dot
  (`.ipynb_checkpoints`, `._x.png`) and those in LITTER (`__MACOSX`, `Thumbs.db`);
* beside class folders, other files (a README, a list of names) are ignored, but images are refused,
  and so is a broken link, which may have been a class;
* in a class folder, folders and files without the suffix of an image are refused; links are
  followed.
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
    """Return whether an entry is hidden, or one that a system leaves behind."""
    return name.startswith(".") or name.lower() in LITTER


def is_image(name: str) -> bool:
    """Return whether the name has the suffix of an image, in upper or lower case."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def listed(folder: Path) -> list[os.DirEntry[str]]:
    """Return the entries of a folder without litter, sorted by name."""
    with os.scandir(folder) as entries:
        return sorted((e for e in entries if not is_litter(e.name)), key=lambda e: e.name)


def class_folders(root: Path) -> dict[str, list[str]]:
    """Return the classes of a folder and the images of each, both sorted by name.

    Raises InputError, which names the entry, for a class without images, an entry of a class folder
    that is not an image, an image or broken link beside class folders, and two classes whose names
    differ only in case.
    """
    classes: dict[str, list[str]] = {}
    for entry in listed(root):
        if entry.is_dir():
            classes[entry.name] = _images_of(root / entry.name)
        elif is_image(entry.name):
            raise InputError(f"{entry.path}: is an image outside the class folders")
        elif entry.is_symlink() and not entry.is_file():
            raise InputError(f"{entry.path}: is a broken link, or a link to no file or folder")
    if not classes:
        raise InputError(f"{root}: holds no class folders with images")
    check_names(root, classes)
    return classes


def _images_of(folder: Path) -> list[str]:
    entries = listed(folder)
    for entry in entries:
        if entry.is_dir():
            raise InputError(f"{entry.path}: is a folder, but a class folder needs only images")
        if not entry.is_file():
            raise InputError(f"{entry.path}: is not a regular file, or is a broken link")
        if not is_image(entry.name):
            known = " ".join(SUFFIXES)
            raise InputError(f"{entry.path}: does not have the suffix of an image: {known}")
    if not entries:
        raise InputError(f"{folder}: is a class without images")
    return [entry.name for entry in entries]


def check_names(where: object, classes: Iterable[str]) -> None:
    """Raise InputError, which names the class, unless names are printable and clearly distinct."""
    seen: dict[str, str] = {}
    for name in classes:
        if not name.isprintable():  # also for bytes that are not UTF-8
            raise InputError(f"{where}: has a class {ascii(name)}, whose name cannot be printed")
        key = unicodedata.normalize("NFC", name).casefold()
        if key in seen:
            raise InputError(f"{where}: has classes of similar names, {seen[key]!r} and {name!r}")
        seen[key] = name


def check_same(one: Path, ones: Sequence[str], other: Path, others: Sequence[str]) -> None:
    """Raise InputError, which names a class, unless two folders have the same classes."""
    for path, lacking in ((one, set(others) - set(ones)), (other, set(ones) - set(others))):
        if lacking:
            beside = other if path == one else one
            raise InputError(f"{path}: lacks the class {min(lacking)!r}, which {beside} has")
