from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.claims import CLAIMS, TABLES, reproduce
from aquant_ref.claims.claims import border_shapes, error_bias
from aquant_ref.cli import main
from aquant_ref.errors import InputError
from aquant_ref.experiments.experiment import Experiment
from aquant_ref.ptq.methods import Config
from tests.claims import networks

inputs = networks.inputs

CONFIG = Config("aquant", 2, 2, 5, batch=4)


def test_claim_2_shows_the_border_that_was_learned() -> None:
    evidence = border_shapes(inputs(), CONFIG)
    assert [each["name"] for each in evidence.result["borders"]] == ["stem.relu"]
    assert evidence.result["borders"][0]["largest_distance_from_half"] > 0
    json.dumps(evidence.result, allow_nan=False)


def test_claim_3_sets_the_method_beside_its_controls() -> None:
    evidence = error_bias(inputs(), replace(CONFIG, method="aquant-bias"))
    assert list(evidence.result["methods"]) == ["qdrop-scales", "aquant-bias", "qdrop-bias"]
    assert evidence.result["images"] == 8
    json.dumps(evidence.result, allow_nan=False)


@pytest.mark.parametrize(
    ("number", "options", "message"),
    [
        (7, {}, "unknown claim 7; choose from 1, 2, 3, 4, 5, 6"),
        (2, {"method": "qdrop"}, "learns no border"),
        (2, {"method": "aquant-feedback"}, "learns no border"),
        (2, {"images": 8}, "fewer than a batch"),
        (2, {"out": "border.gif"}, "does not end in .png, .txt, .json"),
        (5, {"out": "cost.png"}, "claim 5 has no picture"),
        (3, {"method": "magic"}, "unknown method 'magic'"),
        (3, {"border": "wavy"}, "unknown border word 'wavy'"),
        (3, {"method": "a-rounding"}, "has no border to show"),
    ],
)
def test_bad_input_is_refused_before_anything_is_loaded(
    number: int, options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aquant_ref.experiments.inputs.Inputs.load", None)
    out, images = options.pop("out", None), options.pop("images", 1024)

    def run() -> None:
        reproduce(number, Experiment(config=Config(**options), images=images), out=out)

    with pytest.raises(InputError, match=message):
        run()


@pytest.mark.parametrize("number", sorted(TABLES))
def test_a_claim_that_a_table_reproduces_says_which(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["claim", str(number)]) == 0
    command = f"aquant-ref table --methods {TABLES[number]} --out claim{number}.json"
    assert capsys.readouterr().out.splitlines()[1:] == [command]
    assert number not in CLAIMS


def test_the_table_of_a_claim_takes_the_options_that_tables_have(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Past bug: all options of these claims were ignored without a word."""
    options = ["--data", "cifar10:x", "--act-bits", "3", "--seed", "2", "--iters", "50"]
    assert main.main(["claim", "4", *options]) == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        f"aquant-ref table --methods {TABLES[4]} --data cifar10:x --iters 50 --bits W2A3 --seeds 2 "
        "--out claim4.json"
    )
    given = ["--data", "idx:two words", "--weights", "it's $(mine).npz"]
    assert main.main(["claim", "4", *given]) == 0
    command = capsys.readouterr().out.splitlines()[1]
    assert shlex.split(command)[4:-2] == given  # as a shell takes it
    for given in (["--method", "qdrop"], ["--json"], ["--out", "claim.json"]):
        assert main.main(["claim", "4", *given]) == 2
        assert f"{given[0]}: claim 4 is reproduced by a table" in capsys.readouterr().err


def test_the_command_writes_what_it_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = inputs()
    made = replace(made, calibration=np.tile(made.calibration, (2, 1, 1, 1)))
    monkeypatch.setattr("aquant_ref.experiments.inputs.Inputs.load", lambda *a, **k: made)
    arguments = ["claim", "2", "--images", "32", "--iters", "5", "--border", "row/linear"]
    assert main.main([*arguments, "--out", str(tmp_path / "a.json"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "a.json").read_text())
    assert printed["borders"][0]["kind"] == "row"
    assert main.main([*arguments, "--out", str(tmp_path / "a.txt")]) == 0
    assert capsys.readouterr().out == (tmp_path / "a.txt").read_text()
