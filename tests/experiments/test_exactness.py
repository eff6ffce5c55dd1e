from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.comparison.agreement import compare
from aquant_ref.engine import Engine
from aquant_ref.errors import InputError
from aquant_ref.experiments.exactness import NEEDED, exactness_table, markdown
from aquant_ref.experiments.experiment import Experiment
from aquant_ref.experiments.inputs import Inputs
from aquant_ref.formats import measured
from aquant_ref.lowering import lower
from aquant_ref.nn.accuracy import top1
from aquant_ref.ptq.methods import Config
from aquant_ref.ptq.pipeline import quantize_with

CLONE = Path(__file__).resolve().parents[2]
FILES = sorted((CLONE / "reference_models" / "results" / "exact").glob("*.json"))
CONFIG = Config("aquant", 2, 2, 3, batch=4)
EXPERIMENTS = [Experiment("tiny", "shapes", CONFIG, images=16)]
ALL = ("threshold", "lut", "fixed_point")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_stored_table_is_made_from_its_rows_and_nothing_differs(path: Path) -> None:
    rows = measured.load(path, NEEDED)
    assert path.with_suffix(".md").read_text(encoding="utf-8") == markdown(rows)
    assert {f"{row['model']}-{row['data']}" for row in rows} == {path.stem}
    assert sum(row["mismatches"] for row in rows) == 0


def test_every_lowering_has_a_row_and_a_second_call_computes_none(
    tmp_path: Path, loads: list[Any]
) -> None:
    out = tmp_path / "rows.json"
    rows = exactness_table(EXPERIMENTS, ALL[:2], out)
    assert [(row["lowering"], row["mismatches"]) for row in rows] == [(n, 0) for n in ALL[:2]]
    # 5 images: two channels of 2x3, three of 2x4, and two logits
    assert {row["elements"] for row in rows} == {5 * (2 * 6 + 3 * 8 + 2)}
    again = exactness_table(EXPERIMENTS, ALL, out)
    assert again[:2] == rows
    assert [row["lowering"] for row in again] == list(ALL)
    assert exactness_table(EXPERIMENTS, ALL, out) == again
    assert len(loads) == 2
    assert out.with_suffix(".md").read_text(encoding="utf-8") == markdown(again)


BITS = ((2, 2), (4, 2), (2, 4), (3, 3), (4, 4))


@pytest.mark.parametrize("model", ["resnet8", "mobilenet"])
def test_the_page_says_what_was_run_on_cifar10_and_that_nothing_differs(model: str) -> None:
    rows = measured.load(CLONE / "reference_models/results/exact" / f"{model}-cifar10.json", NEEDED)
    settings = [(row["weight_bits"], row["act_bits"], row["lowering"]) for row in rows]
    assert settings == [(*bits, name) for bits in BITS for name in ALL]
    assert {row["tested"] for row in rows} == {10_000}
    (elements,) = {row["elements"] for row in rows}
    page = CLONE / "reference_models" / "results" / "README.md"
    assert f"0 of {elements:,}" in page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_cheap_row_comes_out_as_in_the_table() -> None:
    path = CLONE / "reference_models/results/exact/resnet8-shapes.json"
    rows = measured.load(path, NEEDED)
    (row,) = [r for r in rows if (r["weight_bits"], r["act_bits"], r["lowering"]) == (2, 2, ALL[0])]
    config = Config("aquant", 2, 2, row["iterations"], seed=row["seed"])
    inputs = Inputs.load("resnet8", "shapes", images=row["images"], seed=row["seed"])
    model = quantize_with(inputs.graph, inputs.parameters, inputs.calibration, config)
    program, few = lower(model), inputs.test.limited(row["tested"] // 10)
    found = compare(model, program, few)
    assert 10 * sum(found.elements.values()) == row["elements"]
    assert found.exact
    assert row["mismatches"] == 0
    engine = Engine(program)
    share = top1(lambda codes: engine.run(codes)[program.output], inputs.test)
    assert share == pytest.approx(row["top1"]["engine"], abs=0.05)  # another BLAS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lowerings": ["magic"]}, "unknown lowering 'magic'"),
        ({"out": "rows.txt"}, "does not end in .json"),
        ({"config": Config("aquant", 2, 8, 3, batch=4)}, "at most 7 bits"),
        ({"images": 2}, "fewer than a batch"),
    ],
)
def test_bad_input_is_refused_before_any_work(
    options: dict[str, Any], message: str, tmp_path: Path, loads: list[Any]
) -> None:
    out = tmp_path / options.pop("out", "rows.json")
    lowerings = options.pop("lowerings", ALL)
    with pytest.raises(InputError, match=message):
        exactness_table([replace(EXPERIMENTS[0], **options)], lowerings, out)
    assert not loads


def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path, loads: list[Any]) -> None:
    out = tmp_path / "rows.json"
    out.write_text('{"format": 1, "rows": [{"model": "tiny"}]}', encoding="utf-8")
    with pytest.raises(InputError, match=r"rows\.json: holds a row without 'data'"):
        exactness_table(EXPERIMENTS, ALL, out)
    assert not loads
    assert "tiny" in out.read_text(encoding="utf-8")
