"""A library in C that does what it must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.meta.libraries import Compiled


@pytest.fixture
def hostile(library: Compiled, monkeypatch: pytest.MonkeyPatch) -> Compiled:
    """The hostile library that goes one way."""

    def going(way: str) -> Path:
        monkeypatch.setenv("AQUANT_WAY", way)
        return library("hostile_library.c")

    return going
