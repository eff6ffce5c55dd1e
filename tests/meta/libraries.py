"""Kernels in C as shared libraries, compiled once for all tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
Compiled = Callable[..., Path]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """Compile a source of this folder to a shared library; skip where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    folder = tmp_path_factory.mktemp("libraries")

    @cache
    def compiled(source: str, *flags: str) -> Path:
        if compiler is None:
            pytest.skip("there is no C compiler")
        made = folder / f"lib{Path(source).stem}{len(list(folder.iterdir()))}.so"
        usual = ["-O1", "-std=gnu99", "-shared", "-fPIC"]
        command = [compiler, *usual, *flags, "-o", str(made), str(HERE / source), "-lm"]
        subprocess.run(command, check=True)
        return made

    return compiled
