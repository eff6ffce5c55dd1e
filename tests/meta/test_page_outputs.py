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
from aquant_ref.conformance import Capabilities, vectors, verify
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


def fits(line: str, said: str) -> bool:
    """Whether some line is this one, but for what it leaves out as "...".

    A page leaves out what grows with the vectors.
    """
    pattern = ".*".join(map(re.escape, line.split("...")))
    return any(re.fullmatch(pattern, each) for each in said.splitlines())


def compiled(source: str, program: Path) -> Path:
    """Compile a source in C; skip without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("there is no C compiler")
    path = program.with_suffix(".c")
    path.write_text(source, encoding="utf-8")
    subprocess.run([compiler, "-O2", "-o", str(program), str(path), "-lm"], check=True)
    return program


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    """kernel.c with its rounding written as `comparison`."""
    folder = tmp_path_factory.mktemp("kernel")

    def written(comparison: str) -> Path:
        source = (HERE / "kernel.c").read_text(encoding="utf-8")
        assert source.count(RIGHT) == 1
        name = "right" if comparison == RIGHT else "wrong"
        return compiled(source.replace(RIGHT, comparison), folder / name)

    return written


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
            assert fits(line, wrong), line


def test_the_claim_is_that_of_the_kernel(kernel: Kernel) -> None:
    declared = Capabilities(requantization=("exact", "tflite_up"))
    report = verify(PipeAdapter(str(kernel(RIGHT)), capabilities=declared))
    (claim,) = shown("claim: ./kernel")
    assert fits(claim.strip().partition(" conforms ")[2], report.claim.partition(" conforms ")[2])


def cases_to_ask(name: str, operations: int) -> list[str]:
    """Some that the kernel has: a process each for all of them takes long."""
    of_name = [
        g.cases.ids for g in vectors.load(name) if g.selection.profile in ("exact", "engine")
    ]
    edges = [case for ids in of_name for case in ids if "/image_edge/" in case]
    return [*of_name[0][:4]] if operations > 1 else [of_name[0][0], *edges[:24]]


@pytest.mark.parametrize(
    ("padding", "operations"),
    [
        ("continue;", ["conv2d", "depthwise", "linear", "add_tensors"]),
        ("{ acc -= (int64_t)(weight[at] - weight_zero[o]) * x_zero; continue; }", ["conv2d"]),
    ],
)
def test_layers_are_reported_as_the_page_shows(
    padding: str,
    operations: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = (HERE / "tensor_kernel.c").read_text(encoding="utf-8")
    assert source.count("continue; /* the real zero */") == 1
    compiled(source.replace("continue; /* the real zero */", padding), tmp_path / "tensor_kernel")
    monkeypatch.chdir(tmp_path)
    few = [f"--case={each}" for name in operations for each in cases_to_ask(name, len(operations))]
    main(["verify", *operations, "--exec", "./tensor_kernel {case}", "--n", "0", *few])
    said = capsys.readouterr().out
    blocks = [each for each in shown("conv2d  ") if ("fail" in each) == (len(operations) == 1)]
    (block,) = blocks
    assert [line for line in block.splitlines() if not fits(line, said)] == []
