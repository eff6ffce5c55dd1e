"""Temporary files and folders that do not outlive their process for long.

What is killed cannot remove its temporary file. Each is therefore locked while its process lives,
and whoever writes in the same directory later removes those that nobody has locked. Where files
cannot be locked, those of yesterday are removed.
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
    """A new name in `directory`, which `remove_abandoned` knows."""
    return directory / f".{secrets.token_hex(8)}.aquant.tmp"


def is_temporary(path: Path) -> bool:
    """Whether `path` has such a name."""
    return NAME.fullmatch(path.name) is not None


@contextmanager
def temporary_file(directory: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Yield a new file, its name and a binary stream; remove it at the end if it is still there."""
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
    """Yield a new folder in `directory`; remove it at the end with all that is in it."""
    while True:
        path = temporary_name(directory)
        path.mkdir()
        try:
            with ExitStack() as opened:
                if _lock_folder(path, opened):
                    yield path
                    return
        finally:
            shutil.rmtree(path, ignore_errors=True)


def _lock_folder(path: Path, opened: ExitStack) -> bool:
    """Lock a new folder until `opened` ends; False if another process has taken it for
    abandoned.
    """
    if os.name == "nt":  # which opens no folder
        return True
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    opened.callback(os.close, descriptor)
    return _lock(descriptor, path)


def _lock(descriptor: int, path: Path) -> bool:
    """Lock what is new; False if another process has taken it for abandoned."""
    try:
        return try_lock(descriptor) and is_still(descriptor, path)
    except OSError:  # no locks here
        return True


def remove_abandoned(directory: Path) -> None:
    """Remove the temporary files and folders of `directory` whose process has ended.

    What cannot be removed stays.
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
    if abandoned and path.is_dir():
        shutil.rmtree(path)
    elif abandoned:
        path.unlink()
