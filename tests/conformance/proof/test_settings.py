"""What is proved: settings from words, vectors and programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.conformance import check_proof
from aquant_ref.conformance.proof.inputs import FLOATS
from aquant_ref.conformance.proof.settings import Setting, of_vectors, of_words, provable
from aquant_ref.engine.program import Program
from aquant_ref.errors import InputError
from aquant_ref.lowering.lowerings import lowering_of
from aquant_ref.quant.fixed_point import FixedPoint
from tests.conformance.proof.test_command import command
from tests.conformance.proof.test_prove import KERNEL
from tests.engine.networks import residual_network
from tests.meta.libraries import Compiled


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What `quantize --out` writes of a small residual network, with either lowering."""
    model = residual_network(0)
    options = {"threshold": None, "fixed_point": FixedPoint(2, "tflite_up")}
    folders = {name: tmp_path_factory.mktemp(name) for name in options}
    for name, folder in folders.items():
        model.save(folder / "model.npz")
        lowering_of(model, options[name]).program.save(folder / "program.npz")
    return folders


def ranges_of(certificate: dict[str, Any]) -> dict[str, list[int]]:
    """The least and the largest input of each channel."""
    found = {}
    for setting in certificate["settings"]:
        (part,) = setting["ranges"]
        keys = part["low"], part["high"]
        found[setting["source"]] = [key * setting["step"] + setting["offset"] for key in keys]
    return found


def test_every_channel_in_fixed_point_is_proved_within_its_bounds(
    folders: dict[str, Path], library: Compiled, tmp_path: Path
) -> None:
    proof, folder = tmp_path / "proof.json", folders["fixed_point"]
    words = ["--library", library(KERNEL), "--program", folder, "--out", proof]
    assert command("requantize", *words) == 0
    assert check_proof.main([str(proof)]) == 0
    certificate, program = json.loads(proof.read_text()), Program.load(folder / "program.npz")
    assert certificate["program_sha256"] == program.sha256()
    assert {setting["variation"] for setting in certificate["settings"]} == {"tflite_up"}
    by_hand, known = {}, program.bounds
    for each in program.instructions:
        if each.op == "rescale":
            for c, (left, bias) in enumerate(
                zip(each.arrays["left"], each.arrays["bias"], strict=True)
            ):
                ends = [int(end[c]) * 2 ** int(left) + int(bias) for end in known[each.inputs[0]]]
                by_hand[f"{each.name} channel {c}"] = ends
    assert len(by_hand) == 20
    assert ranges_of(certificate) == by_hand


def test_a_program_of_thresholds_is_proved_as_classical_requantization(
    folders: dict[str, Path], library: Compiled, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--library", library(KERNEL), "--program", folders["threshold"]]
    assert command("requantize", *words, "--profile", "float32") == 0
    assert "proved: requantize float32: 20 settings" in capsys.readouterr().out


def test_a_program_that_multiplies_by_reals_is_told_so(
    library: Compiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = lowering_of(residual_network(0), FixedPoint(2, "float32")).program
    program.save(tmp_path / "program.npz")
    assert command("requantize", "--library", library(KERNEL), "--program", tmp_path) == 2
    assert "its multipliers are reals, not mantissa and shift" in capsys.readouterr().err


def test_thresholds_of_two_bits_are_proved_and_others_named(
    folders: dict[str, Path], library: Compiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proof = tmp_path / "proof.json"
    words = ["--library", library(KERNEL), "--program", folders["threshold"]]
    assert command("threshold", *words, "--out", proof) == 0
    said = capsys.readouterr().out
    assert "proved: threshold: 8 settings" in said
    assert "left out: body.relu2 and head.mean, with more than 3 thresholds a channel" in said
    certificate = json.loads(proof.read_text())
    assert certificate["left_out"] == ["body.relu2", "head.mean"]
    ends = Program.load(folders["threshold"] / "program.npz").bounds["stem.conv.acc"]
    by_hand = [[int(low), int(high)] for low, high in zip(*ends, strict=True)]
    assert list(ranges_of(certificate).values())[:4] == by_hand


def test_words_give_each_field_once_and_reals_in_either_notation() -> None:
    words = "scale=0x1p-3,zero_point=3,qmin=0,qmax=15,rounding=floor"
    setting = of_words(provable("quantize"), "core-int", words)
    assert list(setting.given) == ["rounding", "scale", "zero_point", "qmin", "qmax"]
    assert setting.given["scale"] == 0.125
    assert setting.rule()(FLOATS.key(1.0)) == 11  # 8 steps, and 3
    with pytest.raises(InputError, match="'low=2' is none of low=, high=, each once"):
        of_words(provable("clip"), "core-int", "low=1,low=2")


def test_the_input_of_a_program_is_shifted_and_has_its_bias() -> None:
    given = {"low": -100, "high": 100}
    setting = Setting(provable("clip"), "core-int", given, "made", step=4, offset=-3)
    assert setting.value(10) == 37
    assert setting.rule()(10) == 37
    assert setting.rule()(99) == 100
    assert setting.text() == "clip core-int low=-100 high=100"


def test_the_stored_vectors_give_each_set_of_parameters_once() -> None:
    found = list(of_vectors(provable("clip"), "core-int"))
    assert len({tuple(each.given.values()) for each in found}) == len(found) > 5
    assert all(each.source.startswith("vectors clip/") for each in found)


def test_an_operation_that_may_fall_cannot_be_proved() -> None:
    with pytest.raises(InputError, match="multiplier: cannot be proved by steps"):
        provable("multiplier")
