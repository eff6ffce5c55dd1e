"""Wrong cases are kept, whoever was asked in whatever way."""

from __future__ import annotations

import io
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.cli import main
from aquant_ref.conformance import Adapter, verify
from aquant_ref.conformance.adapters.directory import OURS
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.conformance.expected.results import expected
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report.kept import MOST_KEPT, Kept
from aquant_ref.conformance.report.verdict import verdicts
from aquant_ref.errors import InputError
from tests.meta.libraries import HERE, Compiled

WRONG = """
import numpy as np
from aquant_ref.conformance import Adapter

class Wrong(Adapter):
    def clip(self, *, v, low, high):
        return np.clip(v, low, high) + 2**40 * (v > high)
    def max_pool2d(self, *, x, **windows):
        return x
"""
PIPE = "import sys\nfor l in sys.stdin:\n  if l[0] != '#': print(l.split()[0], 2**40)"


def read(directory: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    case, verdict = (
        json.loads((directory / name).read_text()) for name in ("desc.json", "verdict.json")
    )
    return case, verdict


@pytest.fixture
def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "wrong_here.py").write_text(WRONG)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "wrong_here:Wrong"


@pytest.mark.parametrize("way", ["adapter", "in-process", "pipe", "library"])
def test_a_wrong_number_is_kept_with_its_answer_and_the_right_one(
    way: str,
    wrong: str,
    tmp_path: Path,
    library: Compiled,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AQUANT_WAY", "writes behind")
    options = {
        "adapter": lambda: ["--adapter", wrong],
        "in-process": lambda: ["--adapter", wrong, "--in-process"],
        "pipe": lambda: ["--pipe", shlex.join([sys.executable, "-S", "-c", PIPE])],
        "library": lambda: ["--library", str(library("hostile_library.c"))],
    }[way]()
    kept = tmp_path / "kept"
    words = ["verify", "clip", "--n", "0", "--keep", str(kept), *options]
    assert main.main(words) == (2 if way == "library" else 1)
    assert not capsys.readouterr().err
    directories = sorted(kept.iterdir())
    assert 0 < len(directories) <= MOST_KEPT
    for directory in directories:
        case, verdict = read(directory)
        assert directory.name == case["id"].replace("/", "_")
        assert (case["op"], case["results"], verdict["rules"]) == ("clip", ["q"], "AQ-INT-1")
        right = min(max(case["v"], case["low"]), case["high"])
        assert verdict["expected"] == {"q": right}
        if way == "library":
            assert verdict["status"] == "error"
            assert verdict["said"].startswith("invalid: wrote behind")
        else:
            assert verdict["status"] == "fail"
            assert verdict["got"]["q"] == 2**40 + (right if way != "pipe" else 0)


def test_a_wrong_tensor_is_kept_as_files(wrong: str, tmp_path: Path) -> None:
    words = ["verify", "max_pool2d", "--in-process", "--adapter", wrong, "--n", "0"]
    assert main.main([*words, "--keep", str(tmp_path / "kept")]) == 1
    for directory in (tmp_path / "kept").iterdir():
        case, verdict = read(directory)
        files = {case["x"], verdict["got"]["q"], verdict["expected"]["q"]}
        assert files == {"in_x.npy", "out_q.npy", "expected_q.npy"}
        x, got, right = (
            np.load(directory / name, allow_pickle=False)
            for name in sorted(files, key=("in_x.npy", "out_q.npy", "expected_q.npy").index)
        )
        assert np.array_equal(x, got)
        assert not np.array_equal(got, right)
        assert all(OURS.fullmatch(path.name) for path in directory.iterdir())


def test_a_command_gets_the_right_answers_beside_its_own(tmp_path: Path) -> None:
    kernel = shlex.join([sys.executable, "-S", "-E", str(HERE / "broken_tensor_kernel.py")])
    command = f"{kernel} {shlex.quote('other size')} {{case}}"
    case = "max_pool2d/padding/u8-1"
    words = ["verify", "max_pool2d", "--exec", command, "--n", "0", "--case", case]
    for _ in range(2):  # the second run finds the files of the first
        assert main.main([*words, "--keep", str(tmp_path)]) == 1
    directory = tmp_path / case.replace("/", "_")
    _, verdict = read(directory)
    assert verdict["expected"] == {"q": "expected_q.npy"}
    assert np.load(directory / verdict["got"]["q"], allow_pickle=False).shape == (1, 1, 1)
    assert not (tmp_path / "smoke" / "verdict.json").exists()


def test_answers_of_a_stream_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = tmp_path / "answers"
    answers.write_text("0 77\n1 0\n")
    with answers.open("rb") as binary:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(binary))
        main.main(["check", "dequantize", "--n", "2", "--keep", str(tmp_path / "kept")])
    case, verdict = read(tmp_path / "kept" / "0")
    assert verdict["got"] == {"r": 77.0}
    assert case["scale"] * (case["q"] - case["zero_point"]) == verdict["expected"]["r"]


def test_a_python_caller_keeps_cases_too(tmp_path: Path) -> None:
    class Refuses(Adapter):
        def round(self, **fields: Any) -> Any:
            raise ValueError("no")

    verify(Refuses(), operations=["round"], generated=0, keep=tmp_path)
    kept = [read(directory) for directory in tmp_path.iterdir()]
    assert len(kept) == MOST_KEPT
    assert all(verdict["said"] == "error: ValueError: no" for _, verdict in kept)
    assert all("got" not in verdict for _, verdict in kept)


def test_what_json_does_not_have_is_text_and_no_more_than_a_few_are_kept(tmp_path: Path) -> None:
    selection = Selection("round", rejects=True)
    cases = generate(selection, range(2 * MOST_KEPT))
    right = expected(cases)
    answers = Answers([np.zeros(len(cases), np.int64)], {1: ("missing", "not asked, as it hung")})
    kept = Kept(tmp_path)
    kept.add(selection, cases, right, answers, verdicts(right, answers))
    made = sorted(tmp_path.iterdir())
    assert len(made) == MOST_KEPT
    assert not (tmp_path / "1").exists()
    ts = {read(directory)[0]["t"] for directory in made}
    assert ts & {"nan", "inf", "-inf"}
    assert all(read(directory)[1]["expected"] == "a refusal" for directory in made)


def test_a_directory_that_cannot_be_written_to_is_named_before_anything_is_asked(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        verify(Adapter(), keep=tmp_path / "file")
