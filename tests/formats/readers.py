"""What reads a file from outside, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.errors import InputError
from aquant_ref.formats.compressed import open_zip, read_entry, read_gzip
from aquant_ref.formats.text import read_json, read_text, read_toml
from aquant_ref.formats.untrusted import read_file


def unzip(path: Path) -> dict[str, bytes]:
    with open_zip(path) as archive:
        return {name: read_entry(archive, name) for name in archive.namelist()}


READERS: dict[str, Callable[[Path], Any]] = {
    "file": read_file,
    "text": read_text,
    "json": read_json,
    "toml": read_toml,
    "gzip": read_gzip,
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
