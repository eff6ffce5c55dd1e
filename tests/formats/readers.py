"""What reads a file from outside, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.errors import InputError
from aquant_ref.formats.compressed import open_gzip, open_zip, read_entry
from aquant_ref.formats.text import read_json, read_text, read_toml
from aquant_ref.formats.untrusted import read_file


def unzip(path: Path) -> dict[str, bytes]:
    with open_zip(path) as archive:
        return {name: read_entry(archive, name) for name in archive.namelist()}


def gunzip(path: Path, **most: int) -> bytes:
    with open_gzip(path, **most) as stream:
        return stream.read()


READERS: dict[str, Callable[[Path], Any]] = {
    "file": read_file,
    "text": read_text,
    "json": read_json,
    "toml": read_toml,
    "gzip": gunzip,
    "zip": unzip,
}
each_reader = pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())


def refusal(path: Path, read: Callable[[Path], Any]) -> str:
    """Why the reader refuses the file: one line, without the file's name before it."""
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()
    return str(caught.value).removeprefix(f"{path}: ")
