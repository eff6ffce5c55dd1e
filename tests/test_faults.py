"""Every command that writes, with the n-th write, sync or rename failing, for every n; and memory
that is at an end wherever a writer of ours is called.

Writes and calls are many and alike, so the suite takes every n only of the first few, and then
fewer, of some commands. `AQUANT_REF_EVERY_FAULT=1 pytest tests/test_faults.py` takes them all.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from inspect import CO_GENERATOR
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import reference_models
from aquant_ref.cli import main
from aquant_ref.conformance.vectors import write
from aquant_ref.experiments import grid
from aquant_ref.experiments.artifacts import Saved
from aquant_ref.formats import atomic, lock, measured, native, temporary
from tests import tiny
from tests.experiments.test_resumable import Here

ALL = bool(os.environ.get("AQUANT_REF_EVERY_FAULT"))
EVERY = 10**9 if ALL else 2  # of writes and calls, up to this one; every sync and rename fails
SHORT = ["--model", "tiny", "--data", "idx:set", "--weights", "w.npz", "--images", "32"]
SHORT += ["--iters", "1"]
RTN = ["--method", "rtn"]
TRAIN = ["train", "tiny", "--data", "idx:set", "--epochs", "1"]
VERIFY = ["verify", "clip", "--n", "0", "--junit", "out.xml"]
# What has made the files that are there before, and in what the command that fails is another.
COMMANDS = {
    "quantize": [["quantize", *SHORT, *RTN, "--out", "out"], ["--act-bits", "4"]],
    "train": [[*TRAIN, "--out", "out.npz"], ["--seed=1"]],
    "table": [["table", *SHORT, "--methods", "rtn", "--out", "out.json"], ["--bits", "W4A4"]],
    "exact": [["exact", *SHORT, "--lowerings", "lut", "--out", "out.json"], ["--bits", "W4A4"]],
    "fixed-point": [
        ["fixed-point", *SHORT, *RTN, "--fraction-bits", "4", "--out", "out.json"],
        ["--bits", "W4A4"],
    ],
    "claim": [["claim", "3", *SHORT, "--method", "qdrop-scales", "--out", "out.txt"], ["--seed=1"]],
    "run": [["run", "saved", "--images", "1", "--record", "out.npz"], ["--simulate"]],
    "verify": [[*VERIFY, "--html", "out.html"], ["--n=1"]],
    "vectors": [["vectors", "generate", "--dir", "out"], []],
}


def run(words: list[str]) -> tuple[int, list[str]]:
    """The exit code, and the lines on standard error but those of progress."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as error:
        code = main.main(words)
    lines = error.getvalue().splitlines()
    return code, [line for line in lines if line.startswith("aquant-ref:") or " " * 4 in line]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """For each command a folder in which it has been run once."""
    folder = tmp_path_factory.mktemp("faults")
    parser = main.parser()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(reference_models.MODELS, "tiny", tiny.TINY)
        patch.setattr(grid, "ProcessPoolExecutor", Here)
        patch.setattr(main, "parser", lambda: parser)
        patch.setattr(write, "FAMILIES", dict(list(write.FAMILIES.items())[:1]))
        (folder / "start").mkdir()
        patch.chdir(folder / "start")
        tiny.write_set(Path("set"), 0, train=32, test=1)
        tiny.write_weights(Path("w.npz"), 0)
        assert run(["quantize", *SHORT, *RTN, "--out", "saved"])[0] == 0
        for name, (words, _) in COMMANDS.items():
            shutil.copytree(folder / "start", folder / name)
            patch.chdir(folder / name)
            assert run(words)[0] == 0
        yield folder


class Broken(io.BufferedWriter):
    """A file of which every write is counted."""

    count: Callable[[], None]

    def write(self, data: Any) -> int:
        type(self).count()
        return super().write(data)


class Fault:
    """The n-th of what is counted fails, as on a disk that is full."""

    def __init__(self, n: int) -> None:
        self.left = n

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")


WRITERS = {module.__file__ for module in (atomic, lock, measured, native, temporary)}


@contextmanager
def without_memory(n: int) -> Any:
    """The n-th call of a function of ours that writes finds no memory for its frame."""
    left = n

    def trace(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        generator = frame.f_code.co_flags & CO_GENERATOR
        if event == "call" and frame.f_code.co_filename in WRITERS and not generator:
            left -= 1
            if left == 0:
                raise MemoryError

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lambda: left > 0
    finally:
        sys.settrace(before)


@contextmanager
def failing(kind: str, n: int) -> Any:
    if kind == "memory":
        with without_memory(n) as passed:
            yield passed
        return
    fault = Fault(n)
    with pytest.MonkeyPatch.context() as patch:
        if kind == "write":
            opened = type("Opened", (Broken,), {"count": fault.count})
            patch.setattr(
                temporary, "open", lambda path, mode: opened(io.FileIO(path, "x")), raising=False
            )
        else:
            original = getattr(os, kind)
            patch.setattr(os, kind, lambda *given: (fault.count(), original(*given))[1])
        yield lambda: fault.left > 0


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def complete(path: Path) -> None:
    """What lies there under its own name is whole."""
    if path.suffix == ".npz":
        content = path.read_bytes()
        (kind,) = (kind for kind in native.KINDS if f'"kind": "{kind}"'.encode() in content)
        native.load(path, kind)
    elif path.suffix == ".json":
        json.loads(path.read_text())
    else:
        assert path.read_text().rstrip()[-1] in ">|.%}0123456789"


# All commands write with the same functions: some show them all.
MANY = tuple(COMMANDS) if ALL else ("quantize", "train", "exact", "verify")
CASES = [(name, kind) for name in COMMANDS for kind in ("fsync", "replace")]
CASES += [(name, kind) for name in MANY for kind in ("write", "memory")]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_fault_of_the_disk_is_one_line_and_loses_nothing(
    name: str, kind: str, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, more = COMMANDS[name]
    before = files(prepared / name)
    n, step = 1, 1
    while True:
        folder = Path(shutil.copytree(prepared / name, tmp_path / str(n)))
        monkeypatch.chdir(folder)
        with failing(kind, n) as passed:
            code, lines = run([*words, *more])
        after = files(folder)
        assert not [path for path in after if path.endswith((".tmp", ".lock"))]
        for path, content in after.items():
            if content != before.get(path):
                complete(folder / path)
        assert before.keys() <= after.keys()
        if name in ("table", "exact", "fixed-point"):
            kept = json.loads(before["out.json"])["rows"]
            assert kept[0] in json.loads(after["out.json"])["rows"]
        if name == "quantize":
            Saved.load(folder / "out")
        if passed():
            break
        failed = folder
        assert code == 2
        assert len(lines) == 1
        assert ("memory" if kind == "memory" else "No space left on device") in lines[0]
        # then fewer of the many that are alike
        step = 1 if kind in ("fsync", "replace") or n < EVERY else step * 2
        n += step
    assert code == 0
    monkeypatch.chdir(failed)
    assert run([*words, *more]) == (0, [])
