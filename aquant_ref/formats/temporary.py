"""Make temporary files and folders that do not long outlive their process.

A killed process cannot remove its temporary files. Each process therefore locks its own, and
whoever writes in the same directory later removes the unlocked ones. Where the file system has no
locks, temporary files without a write for a day are removed.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from aquant_ref.formats.lock import is_still, try_lock

NAME = re.compile(r"\.[0-9a-f]{16}\.aquant\.tmp")
ABANDONED_AFTER = 24 * 3600.0  # seconds without a write, where there are no locks


def temporary_name(directory: Path) -> Path:
    """Return a new name in `directory`, which `remove_abandoned` recognizes."""
    return directory / f".{secrets.token_hex(8)}.aquant.tmp"


def is_temporary(path: Path) -> bool:
    """Return whether `temporary_name` may have made `path`."""
    return NAME.fullmatch(path.name) is not None


@contextmanager
def temporary_file(directory: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Yield a new file, its name and a binary stream; remove it at the end if it remains."""
    while True:
        path = temporary_name(directory)
        try:
            with open(path, "xb") as stream:
                if _lock(stream.fileno(), path):
                    yield path, stream
                    return
        finally:
            with suppress(OSError):
                path.unlink()


@contextmanager
def temporary_folder(directory: Path) -> Iterator[Path]:
    """Yield a new folder in `directory`; remove it at the end with all its content."""
    while True:
        path = temporary_name(directory)
        path.mkdir()
        try:
            with ExitStack() as stack:
                if _lock_folder(path, stack):
                    yield path
                    return
        finally:
            shutil.rmtree(path, ignore_errors=True)


def _lock_folder(path: Path, stack: ExitStack) -> bool:
    """Lock a new folder until `stack` ends; return False if another process has removed it."""
    if os.name == "nt":  # which opens no folder
        return True
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    stack.callback(os.close, descriptor)
    return _lock(descriptor, path)


def _lock(descriptor: int, path: Path) -> bool:
    """Lock a new file or folder; return False if another process has removed it as abandoned."""
    try:
        return try_lock(descriptor) and is_still(descriptor, path)
    except OSError:  # no locks here
        return True


def remove_abandoned(directory: Path) -> None:
    """Remove the temporary files and folders of `directory` whose process has ended.

    Those that cannot be removed remain.
    """
    with suppress(OSError):
        for name in os.listdir(directory):
            if is_temporary(path := directory / name):
                with suppress(OSError):
                    _remove_if_abandoned(path)


def _remove_if_abandoned(path: Path) -> None:
    if os.name == "nt":  # which removes no open file, and opens no folder
        _remove_if(path, time.time() - path.stat().st_mtime > ABANDONED_AFTER)
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        try:
            abandoned = try_lock(descriptor) and is_still(descriptor, path)
        except OSError:
            abandoned = time.time() - os.fstat(descriptor).st_mtime > ABANDONED_AFTER
        _remove_if(path, abandoned)  # while it is locked: see `_lock`
    finally:
        os.close(descriptor)


def _remove_if(path: Path, abandoned: bool) -> None:
    if abandoned and os.path.isdir(path):
        shutil.rmtree(path)
    elif abandoned:
        path.unlink()
