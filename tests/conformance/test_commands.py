from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.cli import main
from aquant_ref.conformance import vectors
from aquant_ref.conformance.vectors import VECTORS
from aquant_ref.errors import InputError

WRONG = """
import numpy as np
from aquant_ref.conformance import Adapter


class Wrong(Adapter):
    def clip(self, *, v, low, high):
        return np.clip(v.astype(np.int32), low, high)
"""


def gen(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main.main(["gen", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def clipped(stream: list[str]) -> list[str]:
    """What a right kernel answers to a stream of `clip`."""
    answers = [stream[0]]
    for line in stream[1:]:
        case, *fields = line.split()
        v, low, high = map(int, fields)
        answers.append(f"{case} {min(max(v, low), high)}")
    return answers


@pytest.fixture
def check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Any:
    def run(answers: str, *arguments: str) -> tuple[int, str]:
        path = tmp_path / "answers"
        path.write_bytes(answers.encode())
        with path.open("rb") as binary:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(binary))
            code = main.main(["check", *arguments])
        return code, capsys.readouterr().out

    return run


def test_the_first_line_says_everything(capsys: pytest.CaptureFixture[str]) -> None:
    stream = gen(capsys, "requantize", "--profile", "tflite_up", "--n", "3", "--bits", "4,8")
    assert stream[0] == (
        "# aquant-ref stream 1 op=requantize profile=tflite_up fields=acc:i32,multiplier:i32,"
        "shift:i32,zero_point:i32,qmin:i32,qmax:i32 result=q:i32 n=3 seed=0 bits=4,8 "
        "signs=unsigned,signed"
    )
    assert [line.split()[0] for line in stream[1:]] == ["0", "1", "2"]
    assert all(len(line.split()) == 7 for line in stream[1:])


def test_reals_are_hexadecimal_and_strings_are_words(capsys: pytest.CaptureFixture[str]) -> None:
    stream = gen(capsys, "round", "--n", "200", "--rounding", "half_up")
    for line in stream[1:]:
        _, rounding, t = line.split()
        assert rounding == "half_up"
        assert t.lstrip("-").startswith("0x")


def test_right_answers_pass(check: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stream = gen(capsys, "clip", "--n", "50")
    code, out = check("\n".join(clipped(stream)) + "\n", "clip", "--n", "50")
    assert code == 0
    assert "50 of 50 pass" in out


def test_line_ends_of_another_system_are_as_good(
    check: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = gen(capsys, "clip", "--n", "50")
    assert check("\r\n".join(clipped(stream)) + "\r\n", "clip", "--n", "50")[0] == 0


def test_a_wrong_answer_is_shown_with_the_command_that_replays_it(
    check: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["clip", "--seed", "3"]
    answers = clipped(gen(capsys, *arguments, "--n", "50"))
    answers[18] = "17 123456"
    code, out = check("\n".join(answers) + "\n", *arguments, "--n", "50", "--json")
    assert code == 1
    (failure,) = json.loads(out)["failures"]
    again = "clip --seed 3 --only 17"
    assert failure["replay"] == f"aquant-ref gen {again} | ./kernel | aquant-ref check {again}"
    alone = gen(capsys, *again.split())
    code, out = check("\n".join(clipped(alone)) + "\n", *again.split())
    assert code == 0
    assert "1 of 1 pass" in out


@pytest.mark.parametrize("other", [["--seed", "1"], ["--n", "49"], ["--rejects"]])
def test_other_arguments_than_gen_had_break_the_protocol(
    other: list[str], check: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = clipped(gen(capsys, "clip", "--n", "50"))
    code, out = check("\n".join(answers) + "\n", "clip", "--n", "50", *other)
    assert code == 2
    assert "other arguments" in out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x 1", "garbled"),
        ("-1 5", "unknown id"),
        ("99 5", "unknown id"),
        ("0 1.5", "garbled"),
        ("0 1_0", "garbled"),
        ("0 99999999999999999999", "garbled"),
        ("0", "garbled"),
        ("0 1 2", "garbled"),
        ("", "garbled"),
        ("0x0 5", "garbled"),
    ],
)
def test_a_line_that_is_no_answer_breaks_the_protocol(
    line: str, words: str, check: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Spec: AQ-CONF-2."""
    answers = clipped(gen(capsys, "clip", "--n", "5"))
    code, out = check("\n".join([answers[0], line, *answers[2:]]) + "\n", "clip", "--n", "5")
    assert code == 2
    assert f"protocol: 1 {words}" in out


@pytest.mark.parametrize(
    ("word", "code"),
    [
        *(("0x0p+0", 0), ("-0x0p+0", 0), ("0x0.0p-3", 0), ("0.0", 0), ("0", 0), ("-0e5", 0)),
        *(("nan", 1), ("inf", 1), ("0x1p-1074", 1), ("0x", 2), ("zero", 2)),
    ],
)
def test_reals_may_be_answered_in_hexadecimal_or_decimal(word: str, code: int, check: Any) -> None:
    """Case 1 of `dequantize` is the zero point itself, which means 0."""
    assert check(f"1 {word}\n", "dequantize", "--only", "1")[0] == code


def test_silence_is_told_from_an_end(capsys: pytest.CaptureFixture[str]) -> None:
    import os

    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.protocol.check_stream import check as judge

    read, write = os.pipe()
    try:
        os.write(write, b"0 0\n")
        with os.fdopen(read, "rb") as stream:
            started = time.monotonic()
            report = judge(Selection("clip"), range(5), stream, timeout=0.2)
            assert time.monotonic() - started < 30
            assert "hang" in report.problems.counts
            os.close(write)
            write = -1
            time.sleep(0.1)  # the reading thread sees the end before the stream is closed
    finally:
        if write >= 0:
            os.close(write)


def test_comments_are_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past bug: whatever came was waited for."""
    import os
    from threading import Event, Thread

    read, write = os.pipe()
    done = Event()

    def chat() -> None:
        while not done.wait(0.02):
            os.write(write, b"# in a moment\n")
        os.close(write)

    talking = Thread(target=chat)
    talking.start()
    with os.fdopen(read, "rb") as stream:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
        assert main.main(["check", "clip", "--n", "5", "--timeout", "0.2"]) == 2
        done.set()
        talking.join()


@pytest.mark.skipif(sys.platform == "win32", reason="has no descriptor of a directory")
def test_answers_that_cannot_be_read_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import os

    class OfADirectory(io.BytesIO):
        def fileno(self) -> int:
            return descriptor

    descriptor = os.open(tmp_path, os.O_RDONLY)
    for stream in (OfADirectory(), io.BytesIO()):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
        assert main.main(["check", "clip", "--n", "5"]) == 2
        assert "error: the answers cannot be read (" in capsys.readouterr().err
    os.close(descriptor)


def test_the_oracle_alone_gives_the_same_report(
    check: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = gen(capsys, "requantize", "--n", "100")
    answers = "\n".join(f"{line.split()[0]} 0" for line in stream[1:]) + "\n"
    fast, slow = (check(answers, "requantize", "--n", "100", *x) for x in ([], ["--oracle"]))
    assert fast == slow
    assert fast[0] == 1


def test_verify_writes_its_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cutting.py").write_text(WRONG)
    monkeypatch.syspath_prepend(str(tmp_path))
    out = [f"--{kind}={tmp_path / kind}" for kind in ("junit", "html")]
    code = main.main(["verify", "clip", "--adapter", "cutting:Wrong", "--n", "0", "--json", *out])
    report = json.loads(capsys.readouterr().out)
    assert code == report["exit_code"] == 1
    assert (tmp_path / "junit").read_text().startswith("<?xml")
    assert (tmp_path / "html").read_text().startswith("<!doctype html>")
    command = report["failures"][0]["replay"].split()[2:]
    assert main.main(["verify", *command]) == 1
    assert "1 fail" in capsys.readouterr().out


NOISY = """
import ctypes, os, subprocess, sys
import numpy as np
from aquant_ref.conformance import Adapter

class Noisy(Adapter):
    def clip(self, *, v, low, high):
        print("of Python")
        sys.__stdout__.write("of Python's own\\n")
        os.write(1, b"of C\\n")
        ctypes.CDLL(None).printf(b"of a buffer in C\\n")
        subprocess.run(["echo", "of a child"])
        os.chdir("/")
        return np.clip(v, low, high)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of the C library")
@pytest.mark.parametrize("where", [[], ["--in-process"]])
def test_what_an_adapter_prints_is_no_part_of_the_report_nor_is_where_it_goes(
    where: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Past bug: only what Python's `print` gives was kept out of the JSON."""
    (tmp_path / "noisy.py").write_text(NOISY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = ["verify", "clip", "--adapter", "noisy:Noisy", "--n", "0", "--json", "--junit", "j.xml"]
    code = main.main(words + where)
    out, err = capfd.readouterr()
    assert json.loads(out)["exit_code"] == code == 0
    said = {"of Python", "of Python's own", "of C", "of a buffer in C", "of a child"}
    assert set(err.splitlines()) == said
    assert (tmp_path / "j.xml").exists()


FATAL = """
import os
import numpy as np
from aquant_ref.conformance import Adapter

class Fatal(Adapter):
    def clip(self, *, v, low, high):
        if (v == -10377).any():
            os._exit(0)
        while (v == 1).any():
            pass
        return np.clip(v, low, high)
"""


def test_a_case_that_ends_an_adapter_or_hangs_is_shown_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Past bug: an adapter in Python that crashed was the end of the run, without a report."""
    (tmp_path / "fatal.py").write_text(FATAL)
    monkeypatch.syspath_prepend(str(tmp_path))
    cases = ("clip/inside/8", "clip/random/20", "clip/range_end/20")
    words = ["verify", "clip", "--adapter", "fatal:Fatal", "--timeout", "2", "--n", "0", "--json"]
    only = [word for case in cases for word in ("--case", case)]
    assert main.main([*words, *only]) == 2
    report = json.loads(capsys.readouterr().out)
    assert report["total"]["error"] == report["total"]["missing"] == report["total"]["pass"] == 1
    (failure,) = report["failures"]
    assert failure["got"] == "crash: exit code 0"
    again = f"verify --adapter fatal:Fatal --timeout 2 --n 0 --case {failure['case']}"
    assert failure["replay"].endswith(again)


def test_verify_shrinks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut.py").write_text(WRONG)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main.main(["verify", "clip", "--adapter", "cut:Wrong", "--n", "0", "--shrink"]) == 1
    assert "clip core-int: smallest: v=" in capsys.readouterr().out


def test_verify_ends_with_3_for_a_stale_deviation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deviations.toml"
    path.write_text('[[deviation]]\nflag = "inside"\nkind = "known-bug"\nreason = "?"\n')
    arguments = ["verify", "clip", "--n", "0", "--deviations", str(path)]
    assert main.main(arguments) == 3
    assert "all that it names pass now" in capsys.readouterr().out
    path.write_text('[[deviation]]\nflag = "inside"\nkind = "known-bug"\n')
    assert main.main(arguments) == 2
    assert "gives no reason" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gen", "magic"], ["magic", "requantize"]),
        (["gen", "requantize", "--profile", "fast"], ["fast", "tflite_up"]),
        (["gen", "clip", "--n", "-1"], ["n: needs 0 to 10000000"]),
        (["gen", "clip", "--n", "9" * 20], ["n: needs 0 to 10000000"]),
        (["gen", "clip", "--only", "9" * 20], ["only", "0 to 10000000"]),
        (["gen", "clip", "--edition", "1"], ["clip", "edition 1"]),
        (["gen", "requantize", "--edition", "-1"], ["edition"]),
        (["check", "clip", "--timeout", "0"], ["timeout: needs more than 0"]),
        (["verify", "clip", "--timeout", "nan"], ["timeout: needs more than 0"]),
        (["verify", "clip", "--pipe", "./k 'x"], ["pipe", "./k 'x", "No closing quotation"]),
        (["verify", "clip", "--pipe", " "], ["pipe", "is not a command"]),
        (["verify", "--exec", "'{case}"], ["exec", "No closing quotation"]),
        # before the kernel is looked for
        (["verify", "clip", "--pipe", "/no/such/kernel", "--html", "."], [".: is a directory"]),
        (["check", "clip", "--junit", "."], [".: is a directory"]),
        (["vectors", "lint", "--dir", "/no/such"], ["/no/such is not a directory"]),
        (["gen", "clip", "--only", "3,3"], ["only"]),
        (["gen", "clip", "--only", "x"], ["only", "'x'"]),
        (["gen", "requantize", "--bits", "17"], ["bits", "1 to 16"]),
        (["gen", "add", "--rejects"], ["add", "refused"]),
        (["verify", "--adapter", "no_such:Thing"], ["adapter", "no_such"]),
        (["verify", "--adapter", "a:B", "--pipe", "./k"], ["only one"]),
        (["verify", "clip", "--pipe", "/no/such/kernel"], ["/no/such/kernel"]),
        (["verify", "clip", "--pipe", "./k", "--shrink"], ["shrink"]),
        (["verify", "--pipe", "./k", "--exec", "./k {case}"], ["only one"]),
        (["verify", "--exec", "./k"], ["exec", "{case}"]),
        (["verify", "--exec", "/no/such {case}"], ["/no/such", "cannot be started"]),
        (["verify", "--exec", "./k {case}", "--shrink"], ["shrink"]),
        (["verify", "--exec", "./k {case}", "--keep", __file__], [__file__, "not a directory"]),
        (["gen", "conv2d"], ["conv2d", "tensors", "verify --exec"]),
        (["verify", "clip", "--case", "clip/x/1"], ["clip/x/1"]),
        (["verify", "clip", "--case", "clip/inside/1", "--case", "clip/x"], ["clip/x"]),
        (["verify", "clip", "--junit", "x", "--html", "./x"], ["./x is the file of --junit"]),
        (["verify", "--pipe", "./k", "--profile", "fast"], ["profile", "fast", "tflite_up"]),
        (["verify", "--pipe", "./k", "--bits", "17"], ["bits", "1 to 16"]),
        (["verify", "--pipe", "./k", "--signs", "both"], ["signs", "both", "unsigned"]),
        (["verify", "clip", "--deviations", "/no/such.toml"], ["/no/such.toml"]),
        (["vectors", "lint", "--dir", ""], ["dir"]),
        # past bugs: left out of account, without a word
        *((["verify", "clip", f"--{name}", ""], [name]) for name in ("adapter", "keep", "profile")),
        (["gen", "clip", "--profile", ""], ["profile"]),
        (["gen", "clip", "--bits", "8"], ["bits: the cases of clip"]),
        (["check", "clip", "--rounding", "floor"], ["rounding: the cases of clip"]),
        (["verify", "--pipe", "./k", "--variations", "add:fast"], ["variations", "of add 'fast'"]),
        (["gen", "add", "--profile", "tflite", "--bits", "16"], ["bits", "has 2 to 8 bits"]),
        *(
            ([*words, "--keep", __file__], [__file__, "not a directory"])
            for words in (
                ["verify", "clip"],
                ["verify", "clip", "--pipe", "./k"],
                ["verify", "clip", "--adapter", "aquant_ref.conformance.adapters:EngineAdapter"],
                ["check", "clip"],
            )
        ),
        (["verify", "clip", "--timeout", "1"], ["timeout: nothing ends this package's own engine"]),
        (["verify", "--adapter", "a:B", "--in-process", "--timeout", "1"], ["timeout: nothing"]),
        (["verify", "--in-process"], ["in-process: applies to --adapter only"]),
        (["verify", "--in-process", "--pipe", "./k"], ["in-process: applies to --adapter only"]),
        *(
            (["verify", "--pipe", "./k", "--profile", given], ["profile", word])
            for given, word in (
                ("conv3d:exact", "unknown operation 'conv3d'"),
                ("linear:exat", "did you mean 'exact'"),
                ("clip:exact", "profile: the cases of clip"),
                ("linear:", "'linear:' needs an operation before"),
                ("exact,exact", "twice"),
            )
        ),
        (["verify", "--pipe", "./k", "--bits", "conv2d:x"], ["bits", "'x'"]),
        (["verify", "--pipe", "./k", "--bits", "conv2d:17"], ["bits", "1 to 16", "conv2d"]),
        (["verify", "--pipe", "./k", "--granularity", "conv2d:row"], ["'row'", "conv2d"]),
        (["verify", "--pipe", "./k", "--rounding", "requantize:floor"], ["rounding: the cases of"]),
    ],
)
def test_bad_arguments_are_one_line(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("aquant-ref: error: ")
    for word in words:
        assert word in line


def test_vectors_are_checked_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for function in (vectors.lint, vectors.generate):  # all files: vectors/test_*.py
        monkeypatch.setattr(sys.modules[function.__module__], "FAMILIES", {"clip": (), "mul": ()})
    assert main.main(["vectors", "lint", "--dir", str(tmp_path)]) == 1
    assert main.main(["vectors", "generate", "--dir", str(tmp_path)]) == 0
    assert main.main(["vectors", "lint", "--dir", str(tmp_path)]) == 0
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"clip.json", "mul.json"} < {*written}
    assert all((VECTORS / name).read_bytes() == each for name, each in written.items())
    assert "clip.json" in capsys.readouterr().out


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    from aquant_ref.conformance.vectors import generate

    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: is a file, not a directory"):
        generate(tmp_path / "file")


def test_an_adapter_is_found_in_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Past bug: not by the installed command, whose directory is another."""
    (tmp_path / "only_here.py").write_text(WRONG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    assert main.main(["verify", "clip", "--adapter", "only_here:Wrong", "--n", "0"]) == 1
    assert "--adapter only_here:Wrong --n 0 --case clip/" in capsys.readouterr().out


SINGLES = """
import struct, sys

def single(v):
    return struct.unpack("<f", struct.pack("<f", v))[0]

for line in sys.stdin:
    if line.startswith("#"):
        print(line, end="")
        continue
    case, q, scale, zero = line.split()
    real = (int(q) - int(zero)) * single(float.fromhex(scale))
    print(case, (single(real) if sys.argv[1] == "right" else real).hex())
"""


@pytest.mark.parametrize(("way", "code"), [("right", 0), ("wrong", 1)])
def test_a_kernel_is_asked_in_the_variation_that_it_names(
    way: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = tmp_path / "kernel.py"
    kernel.write_text(SINGLES)
    command = f"{sys.executable} {kernel} {way}"
    arguments = ["verify", "dequantize", "--pipe", command, "--n", "50"]
    assert main.main([*arguments, "--variations", "dequantize:float32"]) == code
    shown = capsys.readouterr().out
    assert "dequantize      float32" in shown
    assert "core-int  " not in shown
    if code:
        assert "--variations dequantize:float32 --n 50 --case dequantize/" in shown
        assert "rule AQ-PEER-5" in shown
    else:
        assert "; dequantize: variations float32; " in shown
