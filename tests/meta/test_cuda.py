"""A kernel in CUDA: on a GPU where there is one, and its logic on the CPU everywhere."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aquant_ref.conformance import Capabilities, verify
from aquant_ref.conformance.adapters import PipeAdapter
from aquant_ref.conformance.report.report import EXIT_MISMATCH, EXIT_PASS, Report

HERE = Path(__file__).parent
SOURCE = HERE / "kernel.cu"
GENERATED = 200
NO_DEVICE = 4  # the exit code of the kernel
CLIP = (
    b"# aquant-ref stream 1 op=clip profile=core-int fields=v:i64,low:i32,high:i32 result=q:i32\n"
)
INTEGERS = ("exact", "tflite_single", "tflite_up", "tflite_away")
DONE = (
    *("round", "quantize", "border_round", "border", "requantize"),
    *("threshold", "add", "avg_pool", "clip"),
)
# As `enum` of the kernel numbers them, with the operation and the kind of case that finds each.
FAULTS = {
    "scale and product in float32": (1, "requantize", "wide_accumulator"),
    "a shift without its half": (2, "requantize", "tie"),
    "a product with 1 / scale": (3, "quantize", "quotient_tie"),
    "a fraction that was rounded": (4, "border_round", "below_integer"),
    "each operand rounded": (5, "add", "halves"),
    "the sum in 32 bits": (6, "clip", "beyond_int32"),
}

Build = Callable[[int], str]


def on_the_device(program: Path) -> list[str]:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("there is no nvcc")
    return [nvcc, "-O2", "-o", str(program), str(SOURCE)]


def on_the_cpu(program: Path) -> list[str]:
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    shim = ["-include", str(HERE / "cuda_on_cpu.h"), "-ffp-contract=off"]
    return [compiler, "-O1", "-x", "c++", *shim, "-o", str(program), str(SOURCE)]


@pytest.fixture(scope="module", params=[on_the_device, on_the_cpu], ids=lambda way: way.__name__)
def build(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles the kernel with a fault, or with none; skips where it cannot run."""
    directory = tmp_path_factory.mktemp(request.param.__name__)
    built: dict[int, str] = {}

    def program(fault: int) -> str:
        if fault not in built:
            path = directory / f"kernel-{fault}"
            subprocess.run([*request.param(path), f"-DFAULT={fault}"], check=True)
            built[fault] = str(path)
        return built[fault]

    tried = subprocess.run([program(0)], input=CLIP, capture_output=True)
    if tried.returncode == NO_DEVICE:
        pytest.skip(f"there is no GPU ({tried.stderr.decode().strip()})")
    assert tried.returncode == 0, tried.stderr
    return program


def report_on(program: str, operations: list[str]) -> Report:
    capabilities = Capabilities(requantization=INTEGERS)
    kernel = PipeAdapter(program, capabilities=capabilities)
    return verify(kernel, operations=operations, generated=GENERATED)


def test_the_kernel_passes_every_operation_that_it_has(build: Build) -> None:
    report = report_on(build(0), [*DONE, "multiplier"])
    assert report.exit_code == EXIT_PASS, report.text()
    assert {name for name in DONE if report.total(operation=name)["pass"] > GENERATED} == {*DONE}
    assert report.total(operation="multiplier")["pass"] == 0  # skipped, and not passed


@pytest.mark.parametrize("name", FAULTS)
def test_a_kernel_with_a_fault_is_found_by_the_cases_for_it(build: Build, name: str) -> None:
    fault, operation, flag = FAULTS[name]
    report = report_on(build(fault), [operation])
    assert report.exit_code == EXIT_MISMATCH
    assert report.total()["error"] == 0, report.text()
    assert report.total(operation=operation, flag=flag)["fail"] > 0


def test_the_kernel_compiles_where_there_is_no_device(tmp_path: Path) -> None:
    subprocess.run(on_the_device(tmp_path / "kernel"), check=True)
