"""Which files a command line writes and which it reads: what it writes has no other use in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from aquant_ref.errors import InputError

if TYPE_CHECKING:
    import argparse

FILES = ("model.npz", "program.npz", "result.json")  # of a folder that `quantize --out` writes
NO_IMAGES = (".json", ".md", ".npz", ".txt")  # results, which may lie beside images


def check(args: argparse.Namespace) -> None:
    """Raise InputError, which names the option, if a file that is written is read too, or is
    written under two names.
    """
    used = [(option, path) for option, path in _read(args) if os.path.exists(path)]
    for option, path in _written(args):
        for other, another in used:
            if _same(path, another):
                raise InputError(f"{option}: {path} is the file of {other}")
        used.append((option, path))
        data = _data(args)
        taken = os.path.exists(path) and not path.endswith(NO_IMAGES)
        if data and taken and data in _real(path).parents:
            raise InputError(f"{option}: {path} is a file of the data set")


def _read(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    given = vars(args)
    for name in ("weights", "deviations", "library", "a", "b"):
        if given.get(name):
            yield _option(name), given[name]
    model, colon, _ = (given.get("model") or "").rpartition(":")
    if colon:  # a network of the user's own
        yield "--model", model
    for name in ("directory", "program"):
        if given.get(name):
            yield from ((_option(name), os.path.join(given[name], each)) for each in FILES)
    data = _data(args)
    if data:
        yield "--data", str(data)


def _written(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    given = vars(args)
    for name in ("record", "junit", "html"):
        if given.get(name):
            yield _option(name), given[name]
    out = given.get("out")
    if not out:
        return
    if "lowering" in given:  # quantize
        yield from (("--out", os.path.join(out, each)) for each in FILES)
        return
    yield "--out", out
    if "epochs" in given:
        yield "--out", str(checkpoint_of(Path(out)))
    if not {"number", "library"} & given.keys() and out.endswith(
        ".json"
    ):  # a table, which has its Markdown
        yield "--out", str(Path(out).with_suffix(".md"))


def checkpoint_of(path: Path) -> Path:
    """Where a training of the weights `path` keeps what is finished."""
    return path.with_name(f"{path.stem}.checkpoint.npz")


def _option(name: str) -> str:
    return name if name in ("a", "b", "directory") else f"--{name}"


def _data(args: argparse.Namespace) -> Path | None:
    path = (getattr(args, "data", None) or "").partition(":")[2]
    return _real(path) if path else None


def _real(path: str) -> Path:
    return Path(os.path.realpath(path))


def _same(a: str, b: str) -> bool:
    """Whether two paths name one file, which need not be there."""
    try:
        return os.path.samefile(a, b)
    except OSError:
        return _real(a) == _real(b)
