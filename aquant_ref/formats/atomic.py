"""Write a file whole or not at all.

A file is written under a temporary name in the directory where it will live, brought to the disk,
and only then renamed; then the directory is brought to the disk. A rename inside one directory is
atomic, so a reader sees the old file or the new one, never half of either; Ctrl-C, a full disk or a
defect leaves the old file as it was and no temporary file behind. Files that belong together are
all written before the first of them is renamed. A symbolic link is followed: the file that it names
is replaced, and the link stays.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from aquant_ref.errors import InputError, check_text
from aquant_ref.formats.lock import locked
from aquant_ref.formats.temporary import (
    is_temporary,
    remove_abandoned,
    temporary_file,
    temporary_folder,
    temporary_name,
)


def _check_parent(path: Path) -> None:
    if not os.path.exists(path.parent):
        raise InputError(f"{path}: cannot be written (there is no folder {path.parent})")


def _check_regular(path: Path) -> None:
    """Raise InputError, which names it, unless `path` is a regular file or nothing."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:  # such as a symbolic link that leads to itself
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a directory, not a file")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: is not a regular file")


def _sync_directory(path: Path) -> None:
    """Bring to the disk what has been renamed in a directory, unless that is temporary."""
    if os.name == "nt" or is_temporary(path):  # Windows opens no directory
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system without it
            raise
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a binary stream whose content becomes the file `path` if the block ends well.

    On any exception, KeyboardInterrupt among them, `path` stays as it was and the temporary file is
    removed. Raises InputError, which names `path`, where its directory is missing or the operating
    system refuses.
    """
    path = Path(path)
    _check_parent(path)
    _check_regular(path)
    try:
        target = Path(os.path.realpath(path))
        remove_abandoned(target.parent)
        with temporary_file(target.parent) as (temporary, stream):
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            if os.name == "nt":  # which renames no open file
                stream.close()
            os.replace(temporary, target)
        _sync_directory(target.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


@contextmanager
def replacing_together(directory: str | os.PathLike[str], names: Sequence[str]) -> Iterator[Path]:
    """Yield a new folder; if the block ends well, its files become those of `directory`,
    which is made if it is missing.

    They are renamed in the order of `names`, while no other process does the same; one of them that
    the block did not write is removed, so that no file of an earlier set stays among the new ones.
    On any exception `directory` stays as it was. Renames are not one step: whoever must not mistake
    a set that a power cut divided gives its files a common mark. Raises InputError, which names the
    file.
    """
    directory = Path(directory)
    for name in names:
        _check_regular(directory / name)
    make_directory(directory)
    remove_abandoned(directory)
    folder = directory
    try:
        with temporary_folder(directory) as folder:
            yield folder
            with locked(directory / names[0]), temporary_folder(directory) as old:
                before: dict[Path, Path] = {}  # where a copy of each changed file is
                try:
                    for name in names:
                        before[directory / name] = _copied(directory / name, old / name)
                        _put(folder / name, directory / name)
                    _sync_directory(directory)
                except BaseException:
                    for path, copy in before.items():
                        with suppress(OSError, InputError):
                            _put(copy, path)
                    raise
    except InputError as error:  # of a file in the folder, which the user knows by another name
        raise InputError(str(error).replace(str(folder), str(directory))) from error.__cause__
    except OSError as error:
        raise InputError(f"{directory}: cannot be written ({error.strerror or error})") from error


def _copied(path: Path, copy: Path) -> Path:
    """Make `copy` another name of the file `path`, or a copy where that cannot be, if it exists."""
    if path.exists():
        try:
            os.link(os.path.realpath(path), copy)
        except OSError:
            shutil.copy2(path, copy)
    return copy


def _put(new: Path, path: Path) -> None:
    """Put the file `new` in the place of `path`, or nothing if it is not there."""
    if not new.exists():
        path.unlink(missing_ok=True)
    elif path.is_symlink():  # perhaps to another file system, to which nothing is renamed
        with replacing(path) as stream:
            stream.write(new.read_bytes())
    else:
        os.replace(new, path)


def write_text_atomic(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` to `path` as UTF-8, line ends as they are.

    Raises InputError if `path` cannot be written.
    """
    with replacing(path) as stream:
        stream.write(text.encode("utf-8"))


def write_json_atomic(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` to `path` as indented JSON, keys in their own order.

    Raises InputError if `path` cannot be written; ValueError on NaN or infinity, which JSON does
    not have.
    """
    write_text_atomic(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def make_directory(path: str | os.PathLike[str]) -> Path:
    """Make the directory `path` and its parents where they are missing.

    Raises InputError, which names `path`.
    """
    path = Path(path)
    missing = [each for each in (path, *path.parents) if not os.path.exists(each)]
    try:
        path.mkdir(parents=True, exist_ok=True)
        for each in missing:
            _sync_directory(each.parent)
    except FileExistsError as error:
        raise InputError(f"{path}: is a file, not a directory") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be created ({error.strerror or error})") from error
    return path


def check_writable_directory(path: str | os.PathLike[str], *, lock: bool = False) -> Path:
    """Return the directory `path` once it could be made, parents too, and a file written in it,
    and with `lock` locked; leave no trace.

    Call it before the long work whose result goes there. Raises InputError, which names `path`.
    """
    path = Path(path)
    check_text("output", str(path))
    missing = [each for each in (path, *path.parents) if not os.path.exists(each)]
    probe = temporary_name(path)
    try:
        make_directory(path)
        probe.touch(exist_ok=False)
        probe.unlink(missing_ok=True)  # another process may have taken it for abandoned
        remove_abandoned(path)
        if lock:
            with locked(probe):
                pass
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written to ({error.strerror or error})") from error
    finally:
        for each in missing:  # what a refused run would leave behind
            with suppress(OSError):
                each.rmdir()
    return path


def check_writable_file(path: str | os.PathLike[str]) -> Path:
    """Return `path` once a file of this name could be written.

    Its directory must be there: a misspelt one is seldom meant to be made, unlike the directory
    that holds nothing but what a command writes. Call it before the long work whose result it is.
    Raises InputError, which names what is in the way.
    """
    path = Path(path)
    check_text("output", str(path))
    _check_parent(path)
    check_writable_directory(path.parent)
    _check_regular(path)
    if path.is_symlink():
        check_writable_file(os.path.realpath(path))
    return path


def check_writable_together(directory: str | os.PathLike[str], names: Sequence[str]) -> Path:
    """Return `directory` once `replacing_together` could make it and write these files.

    Call it before the long work whose result they are. Raises InputError, which names what is in
    the way.
    """
    directory = check_writable_directory(directory, lock=True)
    for name in names:
        _check_regular(directory / name)
    return directory
