"""What the pages show of gen, check and verify is what these print for the kernel in C."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aquant_ref.cli.main import main
from aquant_ref.conformance import Capabilities, verify
from aquant_ref.conformance.adapters import PipeAdapter
from tests.pages import CLONE, blocks

HERE = Path(__file__).parent
PAGES = [CLONE / "README.md", CLONE / "aquant_ref" / "conformance" / "README.md"]
SHOWN = [block for page in PAGES for block in blocks(page, "text")]
RIGHT, WRONG = "rest >= (int64_t)1", "rest > (int64_t)1"
Kernel = Callable[[str], Path]


def shown(word: str) -> list[str]:
    """The blocks with a word, at least one."""
    found = [block for block in SHOWN if word in block]
    assert found
    return found


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    """Compile kernel.c with its rounding written as `comparison`; skip without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("kernel")

    def compiled(comparison: str) -> Path:
        source = (HERE / "kernel.c").read_text(encoding="utf-8")
        assert source.count(RIGHT) == 1
        (folder / "kernel.c").write_text(source.replace(RIGHT, comparison))
        program = folder / ("right" if comparison == RIGHT else "wrong")
        made = [compiler, "-O2", "-o", str(program), str(folder / "kernel.c"), "-lm"]
        subprocess.run(made, check=True)
        return program

    return compiled


def checked(program: Path, stream: str) -> str:
    """What `check` says of the answers to 10,000 cases of requantize."""
    answers = subprocess.run([str(program)], input=stream, capture_output=True, text=True)
    command = [sys.executable, "-m", "aquant_ref", "check", "requantize"]
    done = subprocess.run(command, input=answers.stdout, capture_output=True, text=True)
    return done.stdout


def test_the_stream_is_what_gen_writes(capsys: pytest.CaptureFixture[str]) -> None:
    main(["gen", "requantize", "--n", "3"])
    assert [capsys.readouterr().out] == shown("# aquant-ref stream")


def test_the_verdicts_on_a_right_and_a_wrong_kernel_are_those_of_check(
    kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["gen", "requantize"])
    stream = capsys.readouterr().out
    right, wrong = checked(kernel(RIGHT), stream), checked(kernel(WRONG), stream)
    assert all(block in right for block in shown("10000 pass"))
    for block in shown("0 [tie]"):
        for line in block.splitlines():
            assert line.removesuffix("...") in wrong, line


def test_the_claim_is_that_of_the_kernel(kernel: Kernel) -> None:
    declared = Capabilities(requantization=("exact", "tflite_up"))
    report = verify(PipeAdapter(str(kernel(RIGHT)), capabilities=declared))
    (claim,) = shown("claim: ./kernel")
    said = claim.strip().partition(" conforms ")[2]
    pattern = ".*".join(map(re.escape, said.split("...")))  # what the page leaves out
    assert re.fullmatch(pattern, report.claim.partition(" conforms ")[2])
