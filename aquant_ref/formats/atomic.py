"""Write a file whole or not at all.

A file is written under a temporary name in its final directory, synced to the disk and then
renamed; then the directory is synced. A rename within one directory is atomic, so a reader sees the
old file or the new one, never a part. Ctrl-C, a full disk or a defect leaves the old file unchanged
and no temporary file behind. Files that belong together are all written before the first of them is
renamed. A symbolic link is followed: its target is replaced, and the link remains.
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

from aquant_ref.errors import InputError, check_path, check_text
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
    """Raise InputError, which names `path`, unless it is a regular file or does not exist."""
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
    """Sync the renames in a directory to the disk, unless the directory is temporary."""
    if os.name == "nt" or is_temporary(path):  # Windows opens no directory
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that cannot sync
            raise
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a binary stream whose content becomes the file `path` if the block succeeds.

    On any exception, KeyboardInterrupt included, `path` remains unchanged and the temporary file is
    removed. Raises InputError, which names `path`, if its directory is missing or the operating
    system refuses the write.
    """
    check_path(path)
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
            if os.name == "nt":  # which cannot rename an open file
                stream.close()
            os.replace(temporary, target)
        _sync_directory(target.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


@contextmanager
def replacing_together(directory: str | os.PathLike[str], names: Sequence[str]) -> Iterator[Path]:
    """Yield a new folder; if the block succeeds, move its files to `directory`.

    `directory` is made if it is missing. The files are renamed in the order of `names`, under a
    lock; those of `names` that the block did not write are removed from `directory`, so that no
    file of an earlier set remains among the new ones. On any exception `directory` remains
    unchanged. Several renames are not atomic: to recognize a set that a power cut divided, give its
    files a common mark. Raises InputError, which names the file.
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
                backups: dict[Path, Path] = {}  # the copy of each file that is replaced
                try:
                    for name in names:
                        backups[directory / name] = _copied(directory / name, old / name)
                        _put(folder / name, directory / name)
                    _sync_directory(directory)
                except BaseException:
                    for path, copy in backups.items():
                        with suppress(OSError, InputError):
                            _put(copy, path)
                    raise
    except InputError as error:  # the user knows the file by its name in `directory`
        raise InputError(str(error).replace(str(folder), str(directory))) from error.__cause__
    except OSError as error:
        raise InputError(f"{directory}: cannot be written ({error.strerror or error})") from error


def _copied(path: Path, copy: Path) -> Path:
    """Make `copy` a hard link to the file `path` if it exists, or a copy if links are refused."""
    if os.path.exists(path):
        try:
            os.link(os.path.realpath(path), copy)
        except OSError:
            shutil.copy2(path, copy)
    return copy


def _put(new: Path, path: Path) -> None:
    """Replace `path` by the file `new`; remove `path` if `new` does not exist."""
    if not os.path.exists(new):
        path.unlink(missing_ok=True)
    elif os.path.islink(path):  # perhaps to another file system, where a rename is impossible
        with replacing(path) as stream:
            stream.write(new.read_bytes())
    else:
        os.replace(new, path)


def write_text_atomic(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` to `path` as UTF-8, with unchanged line ends.

    Raises InputError if `path` cannot be written.
    """
    with replacing(path) as stream:
        stream.write(text.encode("utf-8"))


def write_json_atomic(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` to `path` as indented JSON, with keys in their own order.

    Raises InputError if `path` cannot be written; ValueError for NaN and infinity, which JSON
    lacks.
    """
    write_text_atomic(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def make_directory(path: str | os.PathLike[str]) -> Path:
    """Make the directory `path` and its parents if they are missing; return `path`.

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
    """Check that the directory `path` can be made and written to; return `path`, leave no trace.

    With `lock`, also check that a file in it can be locked. Call this function before the long work
    whose result goes there. Raises InputError, which names `path`.
    """
    path = Path(path)
    check_text("output", str(path))
    missing = [each for each in (path, *path.parents) if not os.path.exists(each)]
    probe = temporary_name(path)
    try:
        make_directory(path)
        probe.touch(exist_ok=False)
        probe.unlink(missing_ok=True)  # another process may have removed it as abandoned
        remove_abandoned(path)
        if lock:
            with locked(probe):
                pass
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written to ({error.strerror or error})") from error
    finally:
        for each in missing:
            with suppress(OSError):
                each.rmdir()
    return path


def check_writable_file(path: str | os.PathLike[str]) -> Path:
    """Check that a file `path` can be written; return `path`.

    Its directory must exist: a missing one is probably misspelt, unlike an output directory, which
    a command makes. Call this function before the long work whose result goes there. Raises
    InputError, which names the obstacle.
    """
    path = Path(path)
    check_text("output", str(path))
    _check_parent(path)
    check_writable_directory(path.parent)
    _check_regular(path)
    if os.path.islink(path):
        check_writable_file(os.path.realpath(path))
    return path


def check_writable_together(directory: str | os.PathLike[str], names: Sequence[str]) -> Path:
    """Check that `replacing_together` can write the files `names` to `directory`; return it.

    Call this function before the long work whose result goes there. Raises InputError, which names
    the obstacle.
    """
    directory = check_writable_directory(directory, lock=True)
    for name in names:
        _check_regular(directory / name)
    return directory
