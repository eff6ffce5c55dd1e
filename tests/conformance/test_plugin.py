"""The plugin in a pytest of its own, as an implementer has it: once a process, else a session."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aquant_ref import conformance

MODULE = """
import numpy as np
from aquant_ref.conformance import Adapter


class Right(Adapter):
    def clip(self, *, v, low, high):
        return np.clip(v, low, high)


class Wrong(Adapter):
    def clip(self, *, v, low, high):
        return np.clip(v, low, high + 1)


class Unsigned(Adapter):
    def clip(self, *, v, low, high):
        return np.clip(v, low, high).astype(np.uint64)


class Exits(Adapter):
    def __init__(self):
        raise SystemExit(0)


class Vague(Adapter):
    def capabilities(self):
        return None
"""

TEST = """
import mine


def test_mine(aquant_verify):
    assert aquant_verify(mine.Right(), operations=["clip"]).total()["pass"] > 0


def test_wrong(aquant_verify):
    aquant_verify(mine.Wrong(), operations=["clip"], generated=0)
"""


pytest_plugins = ["pytester"]
LOADED = conformance.Adapter  # and numpy with it, which no session in this process can load again
OPTIONS = ["-q", "-rs", "-p", "aquant_ref.conformance.plugin", "-p", "no:cacheprovider"]


@pytest.fixture
def folder(pytester: pytest.Pytester) -> pytest.Pytester:
    (pytester.path / "mine.py").write_text(MODULE)
    (pytester.path / "test_mine.py").write_text(TEST)
    return pytester


def pytest_in(folder: pytest.Pytester, *arguments: str) -> str:
    return folder.runpytest_inprocess(*OPTIONS, *arguments).stdout.str()


def test_the_fixture_fails_a_test_with_the_report(folder: pytest.Pytester) -> None:
    command = [sys.executable, "-m", "pytest", *OPTIONS]
    out = subprocess.run(command, cwd=folder.path, capture_output=True, text=True).stdout
    assert "1 failed, 1 passed" in out
    assert "explained by: " in out
    assert "rule AQ-INT-1" in out
    # past bug: a command that verifies this package instead
    assert "again: verify(adapter, only=['clip/type_end/1'], generated=0)" in out


def test_the_option_adds_a_test_for_each_operation_and_flag(folder: pytest.Pytester) -> None:
    out = pytest_in(folder, "--aquant-adapter", "mine:Right", "-k", "aquant_ref")
    assert "failed" not in out
    assert "6 passed" in out  # five flags, and the run as a whole
    assert "aquant_ref/clip/core-int/range_end" not in out
    wrong = pytest_in(folder, "--aquant-adapter", "mine:Wrong", "-k", "aquant_ref")
    assert "aquant_ref/clip/core-int/range_end" in wrong
    assert "again: aquant-ref verify --adapter mine:Wrong --case clip/range_end/" in wrong
    unsigned = pytest_in(folder, "--aquant-adapter", "mine:Unsigned", "-k", "aquant_ref")
    assert "beyond int64" in unsigned


def test_what_is_no_adapter_fails_the_test_with_one_line(folder: pytest.Pytester) -> None:
    (folder.path / "test_mine.py").write_text(
        "import mine\ndef test_class(aquant_verify):\n    aquant_verify(mine.Right)\n"
    )
    out = pytest_in(folder)
    assert "adapter: needs an instance of Adapter, got the class Right" in out
    assert "Traceback" not in out


def test_what_cannot_be_used_is_one_line(folder: pytest.Pytester) -> None:
    (folder.path / "bad.toml").write_text("[[deviation]]\nflag = 'inside'\nkind = 'known-bug'\n")
    deviations = ["--aquant-deviations", "bad.toml"]
    words = "bad.toml: deviation 1: gives no reason"
    assert f"\n{words}\n" in pytest_in(folder, *deviations)
    for more, line in (
        (deviations + ["--aquant-adapter", "mine:Right"], words),
        (["--aquant-adapter", "mine:Other"], "adapter: module 'mine' has no 'Other'"),
        (["--aquant-adapter", "mine:Exits"], "adapter: 'mine:Exits' cannot be created (SystemExit"),
        (["--aquant-adapter", "mine:Vague"], "adapter: capabilities() returns NoneType, not Cap"),
    ):
        done = folder.runpytest_inprocess(*OPTIONS, *more)
        assert done.ret == pytest.ExitCode.USAGE_ERROR
        out, error = done.stdout.str(), done.stderr.str()
        assert f"ERROR: {line}" in error
        assert "Traceback" not in out + error
