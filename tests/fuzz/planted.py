"""Doors with a fault each, for the test that such faults are found."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

from aquant_ref.errors import InputError
from tests.fuzz.mutate.raw import raw
from tests.fuzz.target import Target, Wrong


class _TwoLines(InputError):
    def __str__(self) -> str:
        return "case: one\ntwo"


def _fine(path: Path) -> None:
    if path.read_bytes().startswith(b"x"):
        raise InputError(f"{path}: begins with x")


def _traceback(path: Path) -> None:
    raise KeyError("x")


def _two_lines(path: Path) -> None:
    raise _TwoLines("")


def _nameless(path: Path) -> None:
    raise InputError("something is wrong")


def _other(path: Path) -> None:
    raise Wrong("another one")


def _leaves(path: Path) -> None:
    path.with_name(".x.tmp").touch()


def _leaves_elsewhere(path: Path) -> None:
    from tempfile import mkstemp

    os.close(mkstemp()[0])


def _warns(path: Path) -> None:
    warnings.warn("look", stacklevel=1)


def _exits(path: Path) -> None:
    raise SystemExit(0)


def _crashes(path: Path) -> None:
    os.abort()


def _hangs(path: Path) -> None:
    time.sleep(60)


def _eats(path: Path) -> None:
    assert b"x" * (70 << 20)


KINDS = {
    "fine": (_fine, None),
    "traceback": (_traceback, "KeyError"),
    "two lines": (_two_lines, "not one printable line"),
    "nameless": (_nameless, "without the file's name"),
    "other": (_other, "wrong"),
    "leaves": (_leaves, "left behind"),
    "leaves elsewhere": (_leaves_elsewhere, "left behind"),
    "warns": (_warns, "warning"),
    "exits": (_exits, "SystemExit"),
    "crashes": (_crashes, "crash"),
    "hangs": (_hangs, "hang"),
    "eats": (_eats, "memory"),
}
TARGETS = {
    name: Target(name, lambda: {"word": b"a word", "x": b"x"}, (raw,), call)
    for name, (call, _) in KINDS.items()
}
