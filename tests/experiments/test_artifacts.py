"""What the main job wrote, read again by the commands run, certify and compare."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref import data
from aquant_ref.cli import main
from aquant_ref.comparison.recording import Recording
from aquant_ref.engine import Program
from aquant_ref.errors import InputError
from aquant_ref.experiments import artifacts
from aquant_ref.formats import native
from aquant_ref.lowering import lower
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.ptq import observers
from tests.engine import networks

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module", autouse=True)
def few_images() -> Iterator[None]:
    """Every set has at most 64 images here, and few values are searched for a scale."""
    whole = data.load

    def load(spec: str, *, split: str, **more: Any) -> data.Images:
        images = whole(spec, split=split, **more)
        return images.limited(min(64, len(images)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", load)
        patch.setattr(observers, "OBSERVED", 1 << 12)
        yield


def quantized(out: Path, *options: str) -> None:
    setting = ["--method", "rtn", "--weight-bits", "4", "--act-bits", "4", "--images", "64"]
    assert main.main(["quantize", *setting, *options, "--out", str(out)]) == 0


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, few_images: None) -> Path:
    """The folder of a quantized network, W4A4, with recordings of its first 12 images."""
    out = tmp_path_factory.mktemp("job")
    quantized(out)
    run = ["run", str(out), "--images", "12"]
    assert main.main([*run, "--record", str(out / "engine.npz")]) == 0
    simulated = ["--record", str(out / "float32.npz"), "--simulate", "--dtype", "float32"]
    assert main.main([*run, *simulated]) in (0, 1)
    return out


def printed(capsys: Captured, *arguments: str | Path, code: int = 0) -> str:
    assert main.main(list(map(str, arguments))) == code
    return capsys.readouterr().out


def refused(capsys: Captured, *arguments: str | Path) -> str:
    """The one line on standard error of a command that ends with exit code 2."""
    assert main.main(list(map(str, arguments))) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    return line


# run


def test_a_program_of_another_model_is_refused(tmp_path: Path) -> None:
    """Past bug: 95511393 mismatches, and no word that the two do not belong together."""
    networks.residual_network(1).save(tmp_path / "model.npz")
    lower(networks.residual_network(2)).save(tmp_path / "program.npz")
    with pytest.raises(InputError, match=r"program.npz and model.npz do not belong together"):
        artifacts.rerun(tmp_path, "shapes")


def test_a_program_is_not_run_on_images_of_other_classes(tmp_path: Path) -> None:
    model = networks.residual_network(1)
    model = QuantizedModel(model.graph, model.layers, model.tensors, {"classes": ["a", "b", "c"]})
    model.save(tmp_path / "model.npz")
    lower(model).save(tmp_path / "program.npz")
    images = data.Images(np.zeros((4, 2, 4, 3), np.uint8), np.zeros(4, int), ("x", "y"), "set")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifacts.data, "load", lambda *args, **kwargs: images)
        with pytest.raises(InputError, match="shapes: has a class 'x'"):
            artifacts.rerun(tmp_path, "shapes")


def test_a_model_without_an_integer_program_says_so_when_it_is_run(tmp_path: Path) -> None:
    networks.residual_network(1, windows="row").save(tmp_path / "model.npz")
    with pytest.raises(InputError, match=r"no integer program to run; result\.json says why"):
        artifacts.rerun(tmp_path, "shapes")


# run --record


@pytest.mark.parametrize("command", [["run"], ["certify"], ["compare", "a.npz", "a.npz"]])
@pytest.mark.parametrize("file", ["model.npz", "program.npz"])
def test_a_file_in_place_of_its_folder_is_said(
    command: list[str], file: str, job: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(job)
    Recording({"image": np.zeros((1, 1), np.uint8)}).save(Path("a.npz"))
    given = [*command, "--program", file] if command[0] == "compare" else [*command, file]
    said = refused(capsys, *given)
    assert f"{file}: is a file; needs the folder that holds model.npz" in said
    Path("a.npz").unlink()


def test_a_recording_holds_every_tensor_and_says_what_it_is(job: Path) -> None:
    recording = Recording.load(job / "engine.npz")
    program = Program.load(job / "program.npz")
    assert list(recording.tensors) == ["image", *program.recorded]
    assert {len(tensor) for tensor in recording.tensors.values()} == {12}
    assert recording.source["run"] == "engine"
    assert recording.source["data"] == "shapes"
    assert recording.source["images"] == 12
    assert recording.source["program_sha256"] == program.sha256()
    assert Recording.load(job / "float32.npz").source["run"] == "simulation in float32"


def test_a_recording_that_cannot_be_written_is_refused_before_the_work(
    job: Path, capsys: Captured
) -> None:
    run = ("run", job, "--images", "4")
    assert "is a directory" in refused(capsys, *run, "--record", job)
    assert "needs to be a .npz file" in refused(capsys, *run, "--record", job / "x.txt")
    assert "record, which is not given" in refused(capsys, *run, "--simulate")
    assert "is an empty name" in refused(capsys, *run, "--record", "")
    assert "images: needs whole numbers from 1" in refused(capsys, "run", job, "--images", "0")
    assert "64 images, not 65" in refused(capsys, "run", job, "--images", "65")


# certify


@pytest.fixture(scope="module")
def layers(job: Path) -> tuple[artifacts.Certified, ...]:
    return artifacts.certificates(job, dtype="float32")


@pytest.fixture
def once(layers: tuple[artifacts.Certified, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for witnesses takes seconds, so it is made once."""
    monkeypatch.setattr(artifacts, "certificates", lambda *args, **rest: layers)


@pytest.mark.usefixtures("once")
def test_certify_prints_bounds_thresholds_and_witnesses(job: Path, capsys: Captured) -> None:
    table = printed(capsys, "certify", job, "--dtype", "float32")
    assert "for a simulation in float32" in table
    assert table.count("reached by the codes of the worst case") == 9
    assert "int32 2^24 2^53" in table
    assert "found in" in table
    assert " in integers, " in table


@pytest.mark.usefixtures("once")
def test_certify_in_json_has_a_witness_with_all_its_codes(job: Path, capsys: Captured) -> None:
    report = json.loads(printed(capsys, "certify", job, "--dtype", "float32", "--json"))
    layers = {layer["name"]: layer for layer in report["layers"]}
    assert set(layers) == set(Program.load(job / "program.npz").recorded)
    stem = layers["stem.relu"]
    assert stem["inside"] == {"int32": True, "2^24": True, "2^53": True}
    assert stem["reached"] is True
    witness = stem["search"]["witness"]
    assert witness["integers"] != witness["simulated"]
    assert all(len(place) == 3 and 0 <= code <= 255 for _, place, code in witness["codes"])


def test_in_float64_the_network_is_certified_or_says_how_much_was_tried(
    job: Path, capsys: Captured
) -> None:
    report = json.loads(printed(capsys, "certify", job, "--json"))
    for layer in report["layers"]:
        assert (layer["search"] is None) == layer["certified"]


def test_a_program_that_the_model_is_not_lowered_to_is_refused(
    job: Path, tmp_path: Path, capsys: Captured
) -> None:
    meta, arrays = native.load(job / "program.npz", "program")
    arrays["stem.relu/thresholds"][0] += 3000
    (tmp_path / "model.npz").write_bytes((job / "model.npz").read_bytes())
    native.save(tmp_path / "program.npz", "program", meta=meta, arrays=arrays)
    assert "is not what model.npz is lowered to" in refused(capsys, "certify", tmp_path)
    both = (job / "engine.npz", job / "engine.npz")
    assert "is not what" in refused(capsys, "compare", *both, "--program", tmp_path)
    assert "no such file" in refused(capsys, "certify", tmp_path / "nowhere")
    wrong = tmp_path / "wrong.npz"  # it can be run, and the comparison finds what is wrong with it
    run = ["run", str(tmp_path), "--data", "shapes", "--images", "12"]
    assert main.main([*run, "--record", str(wrong)]) == 1
    capsys.readouterr()
    found = printed(capsys, "compare", job / "engine.npz", wrong, "--program", job, code=1)
    assert "looks like one channel" in found
    assert "B, each layer from the codes that B itself has before it: 8 of 9 tensors" in found


# compare


def test_equal_runs_are_equal(job: Path, capsys: Captured) -> None:
    engine = job / "engine.npz"
    for judged in ((), ("--program", job)):
        table = printed(capsys, "compare", engine, engine, *judged)
        assert "the first that differs" not in table
        assert "stack3.relu2" in table
    assert "9 of 9 tensors are what the program makes" in table
    assert f"A: {engine}, engine of " in table


def test_a_float32_run_differs_in_fragile_decisions_alone(job: Path, capsys: Captured) -> None:
    arguments = ("compare", job / "engine.npz", job / "float32.npz", "--program", job)
    main.main([*map(str, arguments), "--dtype", "float32", "--json"])
    report = json.loads(capsys.readouterr().out)
    for verdict in report["verdicts"]["B"]:
        found = verdict["divergence"]
        assert found is None or found["fragile"] == found["mismatches"]
    assert all(verdict["divergence"] is None for verdict in report["verdicts"]["A"])


def test_signed_codes_are_recorded_certified_and_compared(tmp_path: Path, capsys: Captured) -> None:
    quantized(tmp_path, "--signed")
    run = ("run", tmp_path, "--images", "6")
    one, two = tmp_path / "engine.npz", tmp_path / "simulation.npz"
    printed(capsys, *run, "--record", one)
    printed(capsys, *run, "--record", two, "--simulate")
    stem = Recording.load(one).tensors["stem.relu"]
    assert (stem.dtype, stem.min()) == (np.int8, -8)
    table = printed(capsys, "compare", one, two, "--program", tmp_path)
    assert "9 of 9 tensors are what the program makes" in table
    assert printed(capsys, "certify", tmp_path).count("reached by the codes of the worst case") == 9


# a program in fixed point


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory, few_images: None) -> Path:
    """The folder of the network of `job` in fixed point, with recordings of 12 images."""
    out = tmp_path_factory.mktemp("fixed")
    quantized(out, "--lowering", "fixed_point", "--fraction-bits", "6", "--profile", "tflite_up")
    run = ["run", str(out), "--images", "12"]
    assert main.main([*run, "--record", str(out / "engine.npz")]) == 0
    assert main.main([*run, "--record", str(out / "simulation.npz"), "--simulate"]) == 0
    return out


def test_a_run_in_fixed_point_equals_its_own_simulation(fixed: Path, capsys: Captured) -> None:
    both = fixed / "engine.npz", fixed / "simulation.npz"
    for judged in ((), ("--program", fixed)):
        table = printed(capsys, "compare", *both, *judged)
        assert "the first that differs" not in table
    assert table.count("9 of 9 tensors are what the program makes") == 2


def test_a_run_in_fixed_point_differs_from_the_ideal_one_and_each_program_blames_the_other(
    job: Path, fixed: Path, capsys: Captured
) -> None:
    both = job / "engine.npz", fixed / "engine.npz"
    for program, right in ((job, "A"), (fixed, "B")):
        table = printed(capsys, "compare", *both, "--program", program, code=1)
        words = f"{right}, each layer from the codes that {right} itself has before it: 9 of 9"
        assert words in table
        assert table.count("9 of 9") == 1
    assert "exact ties" not in table
    assert "named fragile" not in table


def test_fixed_point_has_no_certificate_and_no_simulation_in_float32(
    fixed: Path, capsys: Captured
) -> None:
    line = refused(capsys, "certify", fixed)
    assert "is in fixed point, which has no thresholds to certify" in line
    assert "inside int32" in line
    line = refused(capsys, "run", fixed, "--images", "2", "--dtype", "float32")
    assert "fixed point is simulated in float64, not in float32" in line


def test_tensors_from_elsewhere_are_compared(job: Path, tmp_path: Path, capsys: Captured) -> None:
    tensors = {**Recording.load(job / "engine.npz").tensors}
    del tensors["image"]
    theirs = tmp_path / "theirs.npz"
    np.savez(theirs, **tensors)
    assert "image          is only in A" in printed(capsys, "compare", job / "engine.npz", theirs)
    tensors["stack1.relu2"] = tensors["stack1.relu2"][..., ::-1]
    del tensors["head.pool"]
    np.savez_compressed(theirs, **tensors)
    table = printed(capsys, "compare", job / "engine.npz", theirs, code=1)
    assert "looks like transposed: B is A with its columns in reverse" in table
    assert "head.pool      is only in A" in table
    report = json.loads(printed(capsys, "compare", job / "engine.npz", theirs, "--json", code=1))
    assert report["equal"] is False
    assert report["first"]["name"] == "stack1.relu2"
    assert report["first"]["guesses"][0]["defect"] == "transposed"


def test_files_that_are_no_recordings_are_one_line(
    job: Path, tmp_path: Path, capsys: Captured
) -> None:
    engine = job / "engine.npz"
    text = tmp_path / "text.npz"
    text.write_text("no zip")
    nan = tmp_path / "nan.npz"
    np.savez(nan, x=np.array([[np.nan]]))
    torch = tmp_path / "run.pth"
    torch.write_bytes(b"x")
    for path, words in (
        (text, "is damaged"),
        (nan, "'x' holds NaN"),
        (torch, "is a pickle"),
        (tmp_path / "none.npz", "no such file"),
        (job / "program.npz", "holds a program file, not a recording file"),
    ):
        line = refused(capsys, "compare", engine, path)
        assert words in line
        assert path.name in line
    whole = bytearray(engine.read_bytes())
    whole[len(whole) // 2] ^= 1
    flipped = tmp_path / "flipped.npz"
    flipped.write_bytes(whole)
    assert "damaged" in refused(capsys, "compare", flipped, engine)


# What a stranger's file says of itself


def test_what_recordings_say_of_themselves_reaches_no_terminal_raw(
    tmp_path: Path, capsys: Captured
) -> None:
    ours, theirs = tmp_path / "ours.npz", tmp_path / "theirs.npz"
    source = {"run": "\x1b[31mred", "data": "a\nb\u2028c\x85", "images": ["\x07"]}
    meta = {"order": ["x"], "source": source}
    native.save(ours, "recording", meta=meta, arrays={"x": np.zeros((1, 2))})
    np.savez(theirs, **{"x\x1b[31m\x85": np.zeros((1, 2)), "x": np.ones((1, 2))})
    for other, code in ((ours, 0), (theirs, 1)):
        lines = printed(capsys, "compare", ours, other, code=code).split("\n")
        assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("classes", [5, "abc", {"a": 1}, [1, 2], [None], ["a", ["b"]], ["\x1b"]])
def test_a_model_whose_classes_are_no_names_is_refused(
    classes: Any, job: Path, tmp_path: Path, capsys: Captured
) -> None:
    meta, arrays = native.load(job / "model.npz", "model")
    meta["source"]["classes"] = classes
    native.save(tmp_path / "model.npz", "model", meta=meta, arrays=arrays)
    meta, arrays = native.load(job / "program.npz", "program")
    meta["source"]["model_sha256"] = QuantizedModel.load(tmp_path / "model.npz").sha256()
    native.save(tmp_path / "program.npz", "program", meta=meta, arrays=arrays)
    said = refused(capsys, "run", tmp_path, "--data", "shapes")
    assert "model.npz: its classes are not a list of names" in said
