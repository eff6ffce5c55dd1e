"""Kernels that are given a directory a case: broken ones are told apart, one in C passes."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aquant_ref.conformance import verify
from aquant_ref.conformance.adapters import CommandAdapter
from aquant_ref.conformance.report.report import (
    EXIT_MISMATCH,
    EXIT_NOTHING,
    EXIT_PASS,
    EXIT_PROTOCOL,
    Report,
)
from aquant_ref.errors import InputError
from tests.meta.libraries import HERE

QUICK = shlex.join([sys.executable, "-S", "-E", str(HERE / "broken_tensor_kernel.py")])
CASES = ["max_pool2d/padding/u8-1", "max_pool2d/random/s8-1"]


def report_on(way: str, timeout: float = 30) -> Report:
    """Two cases alone."""
    kernel = CommandAdapter(f"{QUICK} {shlex.quote(way)} {{case}}", timeout=timeout)
    return verify(kernel, operations=["max_pool2d"], generated=0, only=CASES)


@pytest.mark.parametrize(
    ("way", "kind", "status", "words"),
    [
        ("silent", "missing output", "missing", "out_q.npy is not there"),
        ("exit 1", "crash", "missing", "exit code 1: out of memory"),
        ("hang", "hang", "missing", "no end after 2 s"),
        ("truncated", "truncated output", "error", "claims shape (1, 2, 2)"),
        ("cut header", "truncated output", "error", "ends inside its header"),
        ("empty", "truncated output", "error", "ends after 0 bytes"),
        ("huge", "truncated output", "error", "claims shape (1000000,"),
        ("too long", "unreadable output", "error", "match the size of its data"),
        ("text", "unreadable output", "error", "magic"),
        ("pickle", "unreadable output", "error", "pickled objects, which are never loaded"),
        ("two axes", "wrong shape", "error", "has shape (2, 2), not [C, OH, OW]"),
        ("float", "wrong dtype", "error", "has float32, not integers"),
        ("nan", "NaN output", "error", "out_q.npy has NaN"),
        pytest.param(
            *("crash", "crash", "missing", "signal SIGABRT"),
            marks=pytest.mark.skipif(sys.platform == "win32", reason="has no signals"),
        ),
    ],
)
def test_what_breaks_the_protocol_is_reported_as_what_it_is(
    way: str, kind: str, status: str, words: str
) -> None:
    """Spec: AQ-CONF-5."""
    report = report_on(way, timeout=2 if way == "hang" else 30)
    assert report.exit_code == EXIT_PROTOCOL
    assert report.problems.counts == {kind: 1 if kind == "hang" else 2}  # not asked after it
    assert report.total()[status] == report.total()["total"] == 2
    assert words in report.text()


@pytest.mark.parametrize(
    ("way", "status", "words", "code"),
    [
        ("other size", "fail", "got shape (1, 1, 1), expected (", EXIT_MISMATCH),
        ("refuses", "error", "error: refused", EXIT_MISMATCH),
        ("unsupported", "unsupported", "nothing is verified: of 2 cases, 2 unsup", EXIT_NOTHING),
    ],
)
def test_what_is_merely_wrong_is_no_broken_protocol(
    way: str, status: str, words: str, code: int
) -> None:
    report = report_on(way)
    assert report.exit_code == code
    assert not report.problems
    assert report.total()[status] == 2
    assert words in report.text()


def test_without_smoke_nothing_else_is_asked() -> None:
    with pytest.raises(InputError, match="smoke: .*: exit code 5; nothing else is asked"):
        report_on("not even smoke")


def test_a_command_needs_a_place_for_the_directory() -> None:
    with pytest.raises(InputError, match="exec: './kernel' has no {case}"):
        CommandAdapter("./kernel")


def test_a_command_that_cannot_be_started_is_an_input_error() -> None:
    with pytest.raises(InputError, match="/no/such/kernel .*: cannot be started"):
        verify(CommandAdapter("/no/such/kernel {case}"), operations=["linear"])


def test_the_directories_can_be_kept(tmp_path: Path) -> None:
    kernel = CommandAdapter(f"{QUICK} silent {{case}}", keep=tmp_path)
    verify(kernel, only=["max_pool2d/padding/u8-1"], generated=0)
    directory = tmp_path / "max_pool2d_padding_u8-1"
    case = json.loads((directory / "desc.json").read_text())
    assert case["format"] == "aquant-ref case 1"
    assert case["op"] == "max_pool2d"
    assert case["results"] == ["q"]
    assert len(case["padding"]) == 4
    x = np.load(directory / case["x"], allow_pickle=False)
    assert x.dtype == np.int32
    assert x.ndim == 3


def test_a_kernel_as_a_script_passes_what_it_has() -> None:
    command = shlex.join([sys.executable, str(HERE / "tensor_kernel.py")]) + " {case}"
    report = verify(
        CommandAdapter(command),
        operations=["max_pool2d", "linear"],
        generated=0,
        only=[*CASES, "max_pool2d/low_codes/s8-1", "linear/tie/exact-s8-channel-1"],
    )
    assert report.exit_code == EXIT_PASS, report.text()
    assert report.total()["pass"] == 3
    assert report.total()["unsupported"] == 1


def test_a_kernel_in_c_passes_the_layers_that_it_has(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("there is no C compiler")
    program = tmp_path / "tensor_kernel"
    source = str(HERE / "tensor_kernel.c")
    subprocess.run([compiler, "-O2", "-std=c99", "-o", str(program), source, "-lm"], check=True)
    report = verify(CommandAdapter(f"{program} {{case}}"), generated=100)
    assert report.exit_code == EXIT_PASS, report.text()
    for operation in ("conv2d", "depthwise", "linear", "add_tensors"):
        found = report.total(operation=operation)
        assert found["pass"] > 35
    assert "engine in part (conv2d, depthwise, linear, add_tensors)" in report.claim
