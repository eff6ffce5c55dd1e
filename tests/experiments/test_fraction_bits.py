from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.engine import Engine
from aquant_ref.errors import InputError
from aquant_ref.experiments.experiment import Experiment
from aquant_ref.experiments.fraction_bits import (
    NEEDED,
    agreement,
    fraction_bits_table,
    markdown,
)
from aquant_ref.formats import measured
from aquant_ref.lowering import lower
from aquant_ref.ptq.methods import Config
from aquant_ref.ptq.snap import snap
from aquant_ref.quant.fixed_point import FixedPoint
from tests.claims import networks

CLONE = Path(__file__).resolve().parents[2]
FILES = sorted((CLONE / "reference_models" / "results" / "fixed_point").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_stored_table_is_made_from_its_rows(path: Path) -> None:
    rows = measured.load(path, NEEDED)
    assert path.with_suffix(".md").read_text(encoding="utf-8") == markdown(rows)
    assert {f"{row['model']}-{row['data']}" for row in rows} == {path.stem}


def test_a_row_counts_codes_and_logits_that_differ_end_to_end() -> None:
    inputs, model = networks.inputs(40), snap(networks.network(), {})
    rows = [agreement(inputs, model, FixedPoint(bits)) for bits in (0, 1, 12)]
    codes = inputs.test.batch(np.arange(40))
    ideal = Engine(lower(model)).run(codes)
    for row in rows:
        bits = row["fraction_bits"]
        found = Engine(lower(model, "fixed_point", fraction_bits=bits)).run(codes)
        logits = found.pop("head.linear") == ideal["head.linear"]
        differ = np.concatenate([(found[name] != ideal[name]).ravel() for name in found])
        assert row["codes_differ"] == differ.mean()
        assert row["logits_equal"] == logits.mean()
    assert rows[0]["codes_differ"] > rows[2]["codes_differ"] == 0
    assert rows[2]["logits_equal"] == 1


def test_what_cannot_be_lowered_has_a_row_that_says_why() -> None:
    model = snap(networks.network(), {})
    layer = model.layers["body.conv"]
    far = replace(layer, bias=np.full(3, 1e9))
    model = replace(model, layers={**model.layers, "body.conv": far})
    row = agreement(networks.inputs(), model, FixedPoint(16))
    of = {"method": "rtn", "border": "", "weight_bits": 2, "act_bits": 2, "iterations": 0}
    of |= {"model": "tiny", "data": "tiny", "tested": 8, "seed": 0, "images": 16}
    text = markdown([of | row | {"versions": {"numpy": "2"}}])
    assert "| 16 | `exact` | refused: body.relu.steps: its bias is" in text


CONFIG = Config("aquant", 2, 2, 3, batch=4)
EXPERIMENTS = [Experiment("tiny", "shapes", CONFIG, FixedPoint(bits), images=16) for bits in (2, 8)]


def test_a_second_call_computes_only_what_the_file_lacks(tmp_path: Path, loads: list[Any]) -> None:
    out = tmp_path / "rows.json"
    rows = fraction_bits_table(EXPERIMENTS[:1], out)
    assert [row["fraction_bits"] for row in rows] == [2]
    again = fraction_bits_table(EXPERIMENTS, out)
    assert again[:1] == rows
    assert [row["fraction_bits"] for row in again] == [2, 8]
    assert fraction_bits_table(EXPERIMENTS, out) == again
    assert len(loads) == 2
    assert out.with_suffix(".md").read_text(encoding="utf-8") == markdown(again)


def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path, loads: list[Any]) -> None:
    out = tmp_path / "rows.json"
    out.write_text('{"format": 1, "rows": [{"model": "tiny"}]}', encoding="utf-8")
    with pytest.raises(InputError, match=r"rows\.json: holds a row without 'data'"):
        fraction_bits_table(EXPERIMENTS, out)
    assert not loads
    assert "tiny" in out.read_text(encoding="utf-8")
