"""Lock files between processes.

The locks are those of the operating system, which end with the process that holds them, however it
ends. A lock is on an open file: `locked` makes a lock file beside the file that it protects and
removes it at the end; `try_lock` locks any open file.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aquant_ref.errors import InputError

PATIENCE = 1.0  # seconds of waiting before a warning
PAUSE = 0.02  # seconds between two attempts

log = logging.getLogger(__name__)

if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Lock an open file until it is closed; return False if another process has locked it.

        Raises OSError where the file system has no locks.
        """
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock an open file until it is closed; return False if another process has locked it.

        Raises OSError where the file system has no locks.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the lock of the file `path`, or of the file that it links to.

    The file need not exist, but its directory must. If another process holds the lock, this one
    waits, and logs a warning after a second. Raises InputError, which names `path`, if the file
    system has no locks.
    """
    path = Path(path)
    real = Path(os.path.realpath(path))
    lock = real.with_name(f".{real.name[-50:]}.lock")
    descriptor = _acquire(path, lock)
    try:
        yield
    finally:
        if sys.platform == "win32":  # which removes no open file
            os.close(descriptor)
        with suppress(OSError):
            lock.unlink()
        if sys.platform != "win32":  # last, so that a waiting process sees that the file is gone
            os.close(descriptor)


def _acquire(path: Path, lock: Path) -> int:
    warn_at: float | None = time.monotonic() + PATIENCE
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            raise InputError(f"{path}: cannot be locked ({error.strerror or error})") from error
        held = False
        try:
            held = try_lock(descriptor)
            if held and is_still(descriptor, lock):
                return descriptor
        except BaseException as error:
            refused = isinstance(error, OSError)  # no locks here, so no other process holds one
            with suppress(OSError):
                if held or refused or try_lock(descriptor):
                    lock.unlink()
            os.close(descriptor)
            if isinstance(error, OSError):
                raise InputError(f"{path}: cannot be locked ({error.strerror or error})") from error
            raise
        os.close(descriptor)
        if warn_at is not None and time.monotonic() > warn_at:
            log.warning("%s: waiting for another process", path)
            warn_at = None
        time.sleep(PAUSE)


def is_still(descriptor: int, path: Path) -> bool:
    """Return whether `path` still names the open file, and not another or none."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
