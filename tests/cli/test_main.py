from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference_models
from aquant_ref import data
from aquant_ref.cli import commands, main
from aquant_ref.engine import Program
from aquant_ref.errors import InputError
from aquant_ref.experiments import quantize
from aquant_ref.formats import native
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.ptq import observers

RESULT_KEYS = {
    "model",
    "data",
    "data_set",
    "method",
    "not_lowered",
    "lowering",
    "snap",
    "ideal",
    "weight_bits",
    "act_bits",
    "seed",
    "config",
    "top1",
    "images",
    "bit_exact",
    "certificate",
    "seconds",
    "versions",
    "model_sha256",
}
QUICK = ["quantize", "--images", "32", "--iters", "2"]


@pytest.fixture(scope="module", autouse=True)
def few_images() -> Iterator[None]:
    """There are at most 160 images to train and 64 to test here, and few values are searched for a
    scale; the whole sets are run by the README's commands.
    """
    whole = data.load

    def load(spec: str, *, split: str, **more: Any) -> data.Images:
        images = whole(spec, split=split, **more)
        return images.limited(min({"train": 160, "test": 64}[split], len(images)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", load)
        patch.setattr(observers, "OBSERVED", 1 << 12)
        yield


@dataclass(frozen=True)
class Quantized:
    """A run of the main job that several tests look at: its folder, and what it printed."""

    folder: Path
    printed: str

    def copied_to(self, folder: Path) -> Path:
        """The files in a folder in which a test may change them."""
        return Path(shutil.copytree(self.folder, folder, dirs_exist_ok=True))


def quantized(folder: Path, *options: str) -> Quantized:
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main.main([*QUICK, *options, "--out", str(folder)]) == 0
    return Quantized(folder, printed.getvalue())


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, few_images: None) -> Quantized:
    """The main job as it is without a setting."""
    return quantized(tmp_path_factory.mktemp("learned") / "new" / "out")


@pytest.fixture(scope="module")
def rounded(tmp_path_factory: pytest.TempPathFactory, few_images: None) -> Quantized:
    """The main job, in which nothing is learned."""
    return quantized(tmp_path_factory.mktemp("rounded"), "--method", "rtn")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on standard error of a command that ends with exit code 2."""
    assert main.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("aquant-ref: error: ")
    return lines[0]


def test_the_main_job_prints_its_table_and_writes_its_files(
    learned: Quantized, capsys: pytest.CaptureFixture[str]
) -> None:
    out = learned.folder
    for words in ("rounded to nearest", "aquant, integers", "certified", " 0 mismatches"):
        assert words in learned.printed
    assert sorted(p.name for p in out.iterdir()) == ["model.npz", "program.npz", "result.json"]
    result = json.loads((out / "result.json").read_text())
    assert set(result) == RESULT_KEYS
    assert set(result["top1"]) == {"float", "nearest", "simulation", "engine"}
    assert result["top1"]["simulation"] == result["top1"]["engine"]
    assert set(result["bit_exact"]) == {"images", "tensors", "elements", "mismatches"}
    assert result["bit_exact"]["images"] == 64
    assert result["bit_exact"]["tensors"] == 9
    assert result["bit_exact"]["mismatches"] == 0
    assert result["images"] == 32
    assert (result["lowering"], result["ideal"]) == ("threshold", None)
    certificate = result["certificate"]
    assert certificate["certified"] + certificate["fragile"] == certificate["layers"] == 9
    assert {"aquant_ref", "python", "numpy", "autograd"} <= set(result["versions"])
    assert main.main(["run", str(out), "--data", "shapes"]) == 0
    assert " 0 mismatches" in capsys.readouterr().out


def test_one_seed_gives_the_same_files_and_json_is_what_is_written(
    learned: Quantized, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main([*QUICK, "--json", "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "result.json").read_text())
    for file in ("model.npz", "program.npz"):
        assert (tmp_path / file).read_bytes() == (learned.folder / file).read_bytes()


@pytest.mark.slow
def test_fixed_point_is_bit_exact_too_and_compared_with_the_ideal_semantics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--lowering", "fixed_point", "--fraction-bits", "5", "--profile", "tflite_away"]
    assert main.main([*QUICK, *arguments, "--out", str(tmp_path)]) == 0
    table = capsys.readouterr().out
    for words in (
        " 0 mismatches",
        "snap: scales and units moved by",
        "fixed point, 5 fraction bits, profile tflite_away, against thresholds",
        "% with thresholds",
    ):
        assert words in table
    result = json.loads((tmp_path / "result.json").read_text())
    assert set(result) == RESULT_KEYS | {"fraction_bits", "profile"}
    how = {"lowering": "fixed_point", "fraction_bits": 5, "profile": "tflite_away"}
    assert {key: result[key] for key in how} == how
    assert result["bit_exact"]["mismatches"] == 0
    assert result["bit_exact"]["tensors"] == 9
    assert result["certificate"] is None
    assert set(result["ideal"]["top1"]) == {"ideal", "engine"}
    assert 0 < result["ideal"]["differ"]["stem.relu"] < 0.05
    assert result["snap"]["images"] == 64
    assert 0 < result["snap"]["largest_change"] < 2**-15
    assert set(result["snap"]["top1"]) == {"before", "after"}
    source = Program.load(tmp_path / "program.npz").source
    assert {key: source[key] for key in how} == how
    assert main.main(["run", str(tmp_path)]) == 0
    assert " 0 mismatches" in capsys.readouterr().out


def test_a_program_lowered_as_nothing_is_lowered_is_refused(
    rounded: Quantized, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rounded.copied_to(tmp_path)
    path = tmp_path / "program.npz"
    meta, arrays = native.load(path, "program")
    for source, words in (
        ({"lowering": "magic"}, "unknown lowering 'magic'"),
        ({"lowering": "fixed_point", "fraction_bits": 99}, "needs whole numbers from 0 to 16"),
        ({"lowering": "fixed_point", "profile": ["exact"]}, "profile"),
        ({"lowering": ["threshold"]}, "lowering"),
    ):
        native.save(
            path, "program", meta={**meta, "source": meta["source"] | source}, arrays=arrays
        )
        line = refused(capsys, "run", str(tmp_path))
        assert f"{path}: " in line
        assert words in line


def test_the_table_of_fraction_bits_is_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "fixed.json"
    quick = ["--images", "32", "--iters", "2", "--bits", "W4A4", "--fraction-bits", "2,14"]
    assert main.main(["fixed-point", *quick, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed == out.with_suffix(".md").read_text()
    assert "## W4A4, `aquant`, quadratic/sigmoid/channel/off, 2 iterations" in printed
    result = json.loads(out.read_text())
    coarse, fine = result["rows"]
    assert (coarse["fraction_bits"], fine["fraction_bits"]) == (2, 14)
    assert coarse["codes_differ"] > 20 * fine["codes_differ"]
    assert f"| 14 | `exact` | {100 * fine['codes_differ']:.4f} |" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fraction-bits", "2,x"], "--fraction-bits: '2,x' is not a list of integers"),
        (["--fraction-bits", "17"], "fraction bits: needs whole numbers from 0 to 16, got 17"),
        (["--profiles", "exact,magic"], "unknown profile 'magic'; choose from exact"),
        (["--bits", "W32A2"], "the weights stay in floating point"),
        (["--bits", "2"], "bits: needs a form such as W4A4, got '2'"),
        (["--out", "table.txt"], "does not end in .json"),
        (["--images", "3"], "fewer than a batch"),
    ],
)
def test_a_table_of_fraction_bits_that_cannot_be_made_is_refused_before_the_work(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(capsys, "fixed-point", *arguments)


@pytest.mark.parametrize("bits", ["4", "8"])
def test_other_bits_are_bit_exact_too(bits: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--weight-bits", bits, "--act-bits", bits, "--method", "rtn"]
    assert main.main([*QUICK, *arguments]) == 0
    assert " 0 mismatches" in capsys.readouterr().out


def test_signed_storage_is_a_setting_of_the_main_job(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That it changes no result is shown in tests/ptq/test_branches.py."""

    def stop(experiment: Any, **rest: Any) -> None:
        raise InputError(f"signed: {experiment.config.signed}")

    monkeypatch.setattr(quantize, "run_experiment", stop)
    assert refused(capsys, *QUICK).endswith("signed: False")
    assert refused(capsys, *QUICK, "--signed").endswith("signed: True")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "resnet9"], ["resnet9", "resnet8"]),
        (["--method", "magic"], ["magic", "aquant"]),
        (["--weight-bits", "0"], ["weight bits", "1 to 16"]),
        (["--act-bits", "17"], ["activation bits", "1 to 16"]),
        (["--images", "0"], ["images", "needs whole numbers from 1"]),
        (["--images", "31"], ["31", "batch of 32"]),
        (["--images", "99999"], ["99999", "160"]),
        (["--iters", "-1"], ["iterations"]),
        (["--seed", "-1"], ["seed"]),
        (["--threads", "0"], ["threads"]),
        (["--lowering", "magic"], ["magic", "threshold, fixed_point"]),
        (["--fraction-bits", "8"], ["fraction bits", "'threshold' does not take any"]),
        (["--lowering", "fixed_point", "--fraction-bits", "17"], ["fraction bits", "0 to 16"]),
        (["--lowering", "fixed_point", "--profile", "magic"], ["profile", "magic", "tflite_up"]),
        (["--data", "mnist"], ["mnist", "cifar10:PATH"]),
        (["--data", "cifar10:/no/such/place"], ["/no/such/place"]),
        (["--weights", "/no/such/file.npz"], ["/no/such/file.npz", "no such file"]),
    ],
)
def test_bad_arguments_are_one_line(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, "quantize", *arguments)
    for word in words:
        assert word in line


def test_a_directory_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    started = time.process_time()
    assert "is a file" in refused(capsys, "quantize", "--out", str(tmp_path / "file"))
    assert str(tmp_path) in refused(capsys, "quantize", "--out", str(tmp_path / "file" / "below"))
    assert time.process_time() - started < 5


def test_a_directory_in_the_place_of_a_file_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Past bug: a whole training, or quantization, was done and then thrown away."""

    def work(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the work has started")

    monkeypatch.setattr(quantize.data, "load", work)
    taken = tmp_path / "taken.npz"
    results = tmp_path / "taken.json"
    for path in (tmp_path / "model.npz", taken, results):
        path.mkdir()
    assert f"{taken}: is a directory" in refused(capsys, "train", "resnet8", "--out", str(taken))
    assert "model.npz: is a directory" in refused(capsys, "quantize", "--out", str(tmp_path))
    assert "taken.json: is a directory" in refused(capsys, "table", "--out", str(results))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["model.npz", "taken.json", "taken.npz"]


NOT_UTF8 = "caf\udce9"  # what Python makes of the byte E9 in a name


@pytest.mark.parametrize(
    "arguments",
    [
        ["quantize", "--out", NOT_UTF8],
        ["quantize", "--weights", NOT_UTF8],
        ["quantize", "--data", f"folder:{NOT_UTF8}"],
        ["table", "--out", f"{NOT_UTF8}.json"],
        ["exact", "--out", f"{NOT_UTF8}.json"],
        ["fixed-point", "--out", f"{NOT_UTF8}.json"],
        ["train", "resnet8", "--out", f"{NOT_UTF8}.npz"],
        ["claim", "2", "--out", f"{NOT_UTF8}.png"],
        ["run", NOT_UTF8],
        ["run", "folder", "--record", f"{NOT_UTF8}.npz"],
        ["certify", NOT_UTF8],
        ["compare", NOT_UTF8, "b.npz"],
        ["verify", "--html", NOT_UTF8],
        ["verify", "--junit", NOT_UTF8],
        ["verify", "--keep", NOT_UTF8],
        ["verify", "--case", NOT_UTF8],
        ["vectors", "generate", "--dir", NOT_UTF8],
        ["vectors", "lint", "--dir", NOT_UTF8],
    ],
    ids=" ".join,
)
def test_a_name_that_no_result_can_hold_is_refused_before_the_work(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Past bug: a traceback after the work, where result.json names what it was given."""
    monkeypatch.chdir(tmp_path)
    assert "is not in UTF-8" in refused(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["claim", "2", "--out", "new/border.txt"],
        ["exact", "--out", "new/rows.json"],
        ["fixed-point", "--out", "new/rows.json"],
        ["table", "--out", "new/rows.json"],
        ["train", "resnet8", "--out", "new/weights.npz"],
        ["run", "folder", "--record", "new/run.npz"],
        ["verify", "clip", "--html", "new/report.html"],
        ["verify", "clip", "--junit", "new/report.xml"],
    ],
    ids=" ".join,
)
def test_the_folder_of_an_output_file_has_to_be_there(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Past bug: `claim --out` made the folders of a misspelt path, without a word."""
    monkeypatch.chdir(tmp_path)
    assert f"{arguments[-1]}: cannot be written (there is no folder new)" in refused(
        capsys, *arguments
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["quantize", "--out", ""],
        ["quantize", "--weights", ""],
        ["table", "--out", ""],
        ["train", "resnet8", "--out", ""],
        ["run", ""],
    ],
)
def test_an_empty_name_is_no_path(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Past bug: the files of `--out "$UNSET"` went to the current directory."""
    assert "is an empty name" in refused(capsys, *arguments)


def test_a_refused_run_leaves_no_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new"
    bad = ["--data", f"folder:{tmp_path}"]
    refused(capsys, "quantize", *bad, "--out", str(out / "a" / "b"))
    refused(capsys, "train", "resnet8", *bad, "--epochs", "1", "--out", str(out / "a.npz"))
    refused(capsys, "table", *bad, "--out", str(out / "a.json"))
    assert list(tmp_path.iterdir()) == []


def weights_with(tmp_path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> str:
    meta, arrays = native.load(reference_models.get("resnet8").weights_path("shapes"), "weights")
    change(meta, arrays)
    path = tmp_path / "weights.npz"
    native.save(path, "weights", meta=meta, arrays=arrays)
    return str(path)


@pytest.mark.filterwarnings("error")  # a warning would be a line more
def test_weights_that_are_none_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def nan(meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        arrays["stack1.conv1.weight"][0, 0, 0, 0] = np.nan

    def lacking(meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        del arrays["head.linear.bias"]

    def foreign(meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        meta["model"] = "resnet18"

    def negative(meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        arrays["stack1.conv1_norm.variance"][0] = -1

    def huge(meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        for array in arrays.values():
            array *= 1e30

    for change, words in (
        (negative, ["stack1.conv1_norm.variance", "negative"]),
        (huge, ["overflow"]),
        (nan, ["stack1.conv1.weight", "NaN"]),
        (lacking, ["head.linear.bias", "missing"]),
        (foreign, ["resnet18"]),
    ):
        path = weights_with(tmp_path, change)
        line = refused(capsys, *QUICK, "--weights", path)
        for word in (path, *words):
            assert word in line


def test_damaged_and_newer_files_are_refused(
    rounded: Quantized, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rounded.copied_to(tmp_path)
    program = tmp_path / "program.npz"
    whole = program.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    newer = whole.replace(b'"version": 1', b'"version": 9')
    for content, word in (
        (bytes(flipped), "damaged"),
        (whole[: len(whole) // 2], "truncated"),
        (newer, "program.npz"),
        (b"", "empty"),
    ):
        program.write_bytes(content)
        line = refused(capsys, "run", str(tmp_path))
        assert word in line
        assert "program.npz" in line
    assert "no such file" in refused(capsys, "run", str(tmp_path / "elsewhere"))


def test_images_of_another_size_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    for split in ("train", "val"):
        (tmp_path / split / "a").mkdir(parents=True)
        Image.fromarray(np.zeros((300, 300, 3), np.uint8)).save(tmp_path / split / "a" / "0.png")
    weights = str(reference_models.get("resnet8").weights_path("shapes"))
    line = refused(capsys, "quantize", "--data", f"folder:{tmp_path}", "--weights", weights)
    assert "3x224x224" in line
    assert "3x32x32" in line
    assert "shapes" in refused(capsys, "quantize", "--data", f"folder:{tmp_path}")


def test_an_interruption_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(quantize, "compare", interrupted)
    assert main.main([*QUICK, "--method", "rtn", "--out", str(tmp_path)]) == 130
    assert list(tmp_path.iterdir()) == []
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_in_the_middle_of_the_command(tmp_path: Path) -> None:
    def interruptible() -> None:  # a shell has what it runs in the background ignore Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)

    command = [sys.executable, "-m", "aquant_ref", "quantize", "--out", str(tmp_path)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=interruptible
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("float")  # in the middle of the work
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_the_command_where_a_thread_does_not_end() -> None:
    """Past bug: a lock that the interrupted main thread had left locked, and an end that waited for
    the thread behind it, for good.
    """
    code = """
import sys, threading
from aquant_ref.cli import main as cli

def stuck(args):
    threading.Thread(target=threading.Event().wait).start()
    raise KeyboardInterrupt

cli.COMMANDS["models"] = stuck
sys.argv[1:] = ["models"]
cli.command()
"""
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 130
    assert done.stderr.startswith(b"aquant-ref: interrupted")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_reader_that_has_gone_is_no_error() -> None:
    command = [sys.executable, "-m", "aquant_ref", "models"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_debug_shows_where_an_error_came_from() -> None:
    with pytest.raises(InputError, match="resnet9"):
        main.main(["quantize", "--model", "resnet9", "--debug"])
    with pytest.raises(InputError, match="resnet9"):
        main.main(["--debug", "quantize", "--model", "resnet9"])
    assert main.main(["quantize", "--model", "resnet9"]) == 2


def test_models_are_listed_with_their_cards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["models"]) == 0
    listed = capsys.readouterr().out
    assert "resnet8" in listed
    assert "sha256" in listed
    assert "nothing" in refused(capsys, "models", "nothing")


def test_training_writes_weights_that_the_main_job_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.npz"
    assert main.main(["train", "resnet8", "--epochs", "1", "--out", str(path)]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["mine.npz"]
    assert "epoch 1 of 1" in capsys.readouterr().err
    assert main.main([*QUICK, "--method", "rtn", "--weights", str(path)]) == 0


def test_an_interrupted_training_goes_on_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.npz"
    arguments = ["train", "resnet8", "--epochs", "2", "--out", str(path)]

    def interrupt(steps: Iterable[int], label: str) -> Iterable[int]:
        if label == "epoch 2":
            raise KeyboardInterrupt
        return steps

    with monkeypatch.context() as patch:
        patch.setattr(commands, "progress", interrupt)
        assert main.main(arguments) == 130
    assert [p.name for p in tmp_path.iterdir()] == ["mine.checkpoint.npz"]
    assert "mine.checkpoint.npz: holds what is finished" in capsys.readouterr().err
    assert main.main(arguments) == 0
    assert "epoch 1 of" not in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.npz"]


def test_training_without_a_recipe_or_with_no_epochs_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "epochs: needs whole" in refused(capsys, "train", "resnet8", "--epochs", "0")
    assert "seed: needs whole numbers from 0" in refused(capsys, "train", "resnet8", "--seed", "-1")
    assert "recipe" in refused(capsys, "train", "resnet8", "--data", f"idx:{tmp_path}")


def test_a_saved_model_and_its_program_say_the_same(rounded: Quantized) -> None:
    model = QuantizedModel.load(rounded.folder / "model.npz")
    program = Program.load(rounded.folder / "program.npz")
    assert program.output == model.graph.output
    result = json.loads((rounded.folder / "result.json").read_text())
    assert program.source["model_sha256"] == model.sha256() == result["model_sha256"]
    names = {i.name for i in program.instructions if i.op == "threshold"}
    assert names == set(model.tensors) - {"image"}


def test_help_is_there_without_numpy() -> None:
    code = "import sys; from aquant_ref.cli.main import parser; parser()"
    code += "; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
