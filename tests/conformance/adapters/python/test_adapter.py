"""Adapters in Python in a process of their own: whatever one case does, the rest goes on."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aquant_ref.conformance import verify
from aquant_ref.conformance.adapters import EngineAdapter, PythonAdapter, load
from aquant_ref.conformance.adapters.asking import Asked
from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.contract import get
from aquant_ref.errors import InputError

FATES = """
import ctypes, os, signal, subprocess, sys, time
import numpy as np
from aquant_ref.conformance import Adapter, Capabilities

def eat():
    eaten = []
    while True:
        eaten.append(bytearray(1 << 24))

def wait():
    while True:
        time.sleep(1)

FATES = {
    1001: lambda: os._exit(3),
    1002: lambda: ctypes.string_at(0),
    1003: lambda: sys.exit(4),
    1004: eat,
    1005: lambda: os.kill(os.getpid(), signal.SIGKILL),
    1006: wait,
}

class Fated(Adapter):
    name = "fated"
    one_array = True
    def capabilities(self):
        return Capabilities(bits=(8,), by_operation={"add": {"bits": (4,)}})
    def start(self):
        self.started = True
    def clip(self, *, v, low, high):
        assert self.started
        os.write(1, b"{}\\n")
        print("clipping")
        for value in v.tolist():
            FATES.get(value, int)()
        return np.clip(v, low, high)
    def max_pool2d(self, *, x, **windows):
        if len(x) == 1:
            ctypes.string_at(0)
        return x

class Deadly(Adapter):
    def __init__(self):
        os._exit(7)

class Mute(Adapter):
    def capabilities(self):
        os._exit(8)

class Stuck(Adapter):
    def clip(self, **fields):
        print("stuck", os.getpid(), file=sys.stderr, flush=True)
        wait()

class Waits(Adapter):
    def capabilities(self):
        wait()

class Leaves(Adapter):
    def clip(self, *, v, low, high):
        subprocess.Popen(["sleep", "98.7654"], start_new_session=True)
        return v

class Talks(Adapter):
    def clip(self, **fields):
        for descriptor in range(3, 20):
            try:
                os.write(descriptor, b"garbage\\n")
            except OSError:
                pass
        return fields["v"]
"""


@pytest.fixture
def fated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "fated.py").write_text(FATES)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def clip_cases(*values: int) -> Cases:
    count = len(values)
    columns = {"v": np.array(values), "low": np.full(count, -8), "high": np.full(count, 7)}
    ids = [f"clip/{v}" for v in values]
    return Cases(get("clip"), "core-int", ids, [("made",)], np.zeros(count, np.int64), columns)


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory, and knows signals")
def test_what_one_case_does_to_the_process_is_about_that_case(
    fated: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Spec: AQ-CONF-9."""
    adapter = PythonAdapter("fated:Fated", timeout=5, memory=1 << 29)
    adapter.start()
    values = (1, 1001, 2, 1002, 1003, 50, 1004, 1005, -9, 1006, 3)
    answers = adapter.answer(Selection("clip"), clip_cases(*values))
    assert adapter.name == "fated"
    assert adapter.one_array
    assert answers.other == {
        1: ("crash", "exit code 3: clipping"),
        3: ("crash", "signal SIGSEGV: clipping"),
        4: ("crash", "SystemExit: 4"),
        6: ("crash", "MemoryError"),
        7: ("crash", "signal SIGKILL: clipping"),
        9: ("missing", "no answer after 5 s"),
    }
    right = [k for k in range(len(values)) if k not in answers.other]
    assert answers.values[0][right].tolist() == [1, 2, 7, -8, 3]
    assert adapter.problems.counts == {"crash": 3, "hang": 1}
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "clipping" in captured.err


def test_a_case_on_tensors_that_crashes_leaves_the_others(fated: Path) -> None:
    adapter = PythonAdapter("fated:Fated")
    adapter.start()
    columns = {
        "x": np.empty(3, object),
        **{name: np.empty(3, object) for name in ("kernel", "stride", "padding", "dilation")},
    }
    for k, channels in enumerate((2, 1, 3)):
        columns["x"][k] = np.full((channels, 1, 1), k)
        for name in ("kernel", "stride", "dilation"):
            columns[name][k] = np.array([1, 1])
        columns["padding"][k] = np.zeros(4, int)
    cases = Cases(
        get("max_pool2d"), "engine", ["a", "b", "c"], [("made",)], np.zeros(3, int), columns
    )
    answers = adapter.answer(Selection("max_pool2d"), cases)
    assert {k: what for k, (what, _) in answers.other.items()} == {1: "crash"}
    assert answers.values[0][2].tolist() == [[[2]]] * 3


def test_it_answers_as_it_does_in_this_process() -> None:
    name = "aquant_ref.conformance.adapters:EngineAdapter"
    operations = ["clip", "border_round", "round", "max_pool2d", "program"]
    apart, here = (
        verify(each, operations=operations, generated=0)
        for each in (PythonAdapter(name), load(name))
    )
    assert apart.text() == here.text()
    assert Asked(PythonAdapter(name)).capabilities == EngineAdapter().capabilities()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Deadly", "adapter: 'fated:Deadly' cannot be created (exit code 7)"),
        ("Mute", "adapter: 'fated:Mute' ends in capabilities() (exit code 8)"),
        ("Waits", "adapter: 'fated:Waits' hangs in capabilities() (no answer after 3 s)"),
        ("Nobody", "adapter: module 'fated' has no 'Nobody'"),
    ],
)
def test_an_adapter_that_ends_before_it_is_asked_is_one_line(
    name: str, line: str, fated: Path
) -> None:
    with pytest.raises(InputError) as raised:
        verify(PythonAdapter(f"fated:{name}", timeout=3), operations=["clip"], generated=0)
    assert str(raised.value).startswith(line)


def test_what_writes_into_the_answers_has_crashed(fated: Path) -> None:
    adapter = PythonAdapter("fated:Talks")
    adapter.start()
    answers = adapter.answer(Selection("clip"), clip_cases(5))
    assert answers.other == {0: ("crash", "what it sent is no answer")}


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_what_it_has_started_ends_with_it(fated: Path) -> None:
    adapter = PythonAdapter("fated:Leaves")
    adapter.start()
    assert not adapter.answer(Selection("clip"), clip_cases(5)).other
    del adapter
    gc.collect()
    left = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(b"98.7654" in each for each in left)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_what_ends_the_command_ends_the_adapter(fated: Path) -> None:
    words = ["verify", "clip", "--adapter", "fated:Stuck", "--n", "0"]
    command = [sys.executable, "-m", "aquant_ref", *words]
    with subprocess.Popen(command, cwd=fated, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        word, process = run.stderr.readline().split()
        assert word == "stuck"
        assert os.path.exists(f"/proc/{process}")
        run.terminate()
        assert "interrupted" in run.stderr.read()
    assert not os.path.exists(f"/proc/{process}")
