"""The committed results: the tables are those of the rows, and one cheap cell is computed again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference_models
from aquant_ref.errors import InputError
from aquant_ref.experiments import table as results
from aquant_ref.experiments.evaluate import evaluate, float_accuracy
from aquant_ref.experiments.inputs import Inputs
from aquant_ref.experiments.origin import EDITION, Origin
from aquant_ref.formats import measured
from aquant_ref.ptq import Config, nearest

FOLDER = Path(__file__).resolve().parents[2] / "reference_models" / "results"
FILES = sorted(FOLDER.glob("*.json"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_there_are_results() -> None:
    assert FOLDER / "resnet8-shapes.json" in FILES


@each_file
def test_the_markdown_is_made_from_the_rows(path: Path) -> None:
    rows = results.load(path)
    assert path.with_suffix(".md").read_text(encoding="utf-8") == results.markdown(rows)
    assert results.arrange(rows) == rows
    assert {f"{row['model']}-{row['data']}" for row in rows} == {
        path.stem.removesuffix("-forms").removesuffix("-converged")
    }


@each_file
def test_methods_of_one_seed_saw_the_same_weights_and_as_many_images(path: Path) -> None:
    rows = results.load(path)
    assert len({row["weights_sha256"] for row in rows}) == 1
    assert len({row["images"] for row in rows}) == 1


@pytest.mark.slow
def test_a_cheap_cell_comes_out_as_in_the_table() -> None:
    rows = results.load(FOLDER / "resnet8-shapes.json")
    (row,) = [r for r in rows if (r["method"], r["seed"], r["weight_bits"]) == ("rtn", 0, 2)]
    inputs = Inputs.load("resnet8", "shapes", images=row["images"], seed=0)
    config = Config("rtn", 2, 2)
    model = nearest(inputs.graph, inputs.parameters, inputs.calibration, config)
    # another BLAS may round another way: some images at the edge of two classes
    assert float_accuracy(inputs) == pytest.approx(row["float_top1"], abs=0.0015)
    measured = evaluate(inputs, config, model, dtype=np.float32)
    assert measured == pytest.approx(row["top1"], abs=0.01)


def row(method: str, seed: int, top1: float, **more: object) -> results.Row:
    made: results.Row = {
        "key": f"{method}-{seed}",
        "model": "m",
        "data": "d",
        "method": method,
        "weight_bits": 2,
        "act_bits": 2,
        "border": "",
        "seed": seed,
        "top1": top1,
        "float_top1": 0.9,
        "block_error": 2.0,
        "tested": 10,
        "seconds": 1.0,
        "iterations": 5,
        "images": 40,
        "versions": {"numpy": "2"},
    }
    return {**made, **more}


def test_the_table_has_mean_and_spread_over_seeds() -> None:
    text = results.markdown(results.arrange([row("qdrop", 1, 0.75), row("qdrop", 0, 0.5)]))
    assert "| `qdrop` |  | 62.50 | 50.00 .. 75.00 | 0, 1 | 2 | 5 | 40 | 10 | 1 |" in text
    assert "Top-1 in %, float 90.00 %" in text


def test_differences_are_paired_by_seed() -> None:
    """By hand: differences 10, 20 and 30 points have the mean 20 and the standard error 10/sqrt(3);
    a seed that one of them lacks does not count, nor do other iterations."""
    tops = {0: (0.5, 0.6), 1: (0.4, 0.6), 2: (0.2, 0.5)}
    rows = [row("qdrop", seed, top[0]) for seed, top in tops.items()]
    rows += [row("adaround", seed, top[1]) for seed, top in tops.items()]
    rows += [row("adaround", 3, 0.9), row("qdrop", 4, 0.1), row("qdrop", 5, 0.9, iterations=7)]
    text = results.markdown(results.arrange(rows))
    assert "| `adaround` |  | 5 | 0, 1, 2 | +20.00 ± 5.77 |  |" in text
    assert "| `qdrop` |  | 7 |" not in text.partition("Paired")[2]
    assert "Paired" not in results.markdown(results.arrange(rows[:4]))


def test_a_row_with_a_setting_of_the_official_code_is_another_line() -> None:
    """Also if it was measured with all else equal."""
    rows = [row("qdrop", 0, 0.5), row("qdrop", 0, 0.25, key="other", mixing="qdrop")]
    text = results.markdown(results.arrange(rows))
    assert "| `qdrop` |  | 50.00 |" in text
    assert "| `qdrop` mixing qdrop |  | 25.00 |" in text


def test_a_row_of_a_method_that_is_none_is_refused(tmp_path: Path) -> None:
    known = row("qdrop-e2e", 0, 0.5)
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"format": 1, "rows": [known]}))
    assert results.load(path) == [known]
    for method in ("qdrip", "a-rounding-e2e", "-e2e"):
        path.write_text(json.dumps({"format": 1, "rows": [row(method, 0, 0.5)]}))
        with pytest.raises(InputError, match=f"unknown method '{method}'"):
            results.load(path)


def test_a_new_row_takes_the_place_of_the_old_one_with_its_key() -> None:
    rows = [row("rtn", 0, 0.1), row("qdrop", 0, 0.2), row("qdrop", 0, 0.3)]
    merged = results.arrange(rows)
    assert [r["top1"] for r in merged] == [0.1, 0.3]


@pytest.mark.parametrize(
    "text", ["", "{}", '{"format": 2, "rows": []}', '{"format": 1, "rows": [{}]}']
)
def test_a_file_that_is_no_table_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"t\.json"):
        results.load(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": 1'])
def test_a_damaged_cell_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cell.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"cell\.json"):
        results.load_row(path)


def test_a_row_of_an_unknown_method_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    results.table(path).add([row("rtn", 0, 0.5)])
    path.write_text(path.read_text().replace('"rtn"', '"zzz"'))
    with pytest.raises(InputError, match=r"t\.json.*zzz"):
        results.load(path)


WRONGED = {
    "no JSON": (lambda row: "{", "cannot be read as JSON"),
    "a list": (lambda row: [row], "is not a JSON object"),
    "no accuracy": (lambda row: {k: v for k, v in row.items() if k != "top1"}, "without 'top1'"),
    "words for a number": (lambda row: {**row, "top1": "abc"}, "whose 'top1' is 'abc'"),
    "a fractional seed": (lambda row: {**row, "seed": 0.5}, "whose 'seed' is 0.5"),
    "another cell": (lambda row: {**row, "key": "qdrop-1"}, "holds the cell 'qdrop-1'"),
}


@pytest.mark.parametrize("name", WRONGED)
def test_a_damaged_cell_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    """Past bugs: a traceback for a wrong type, and another cell's row taken for this one's."""
    wrong: Any
    wrong, message = WRONGED[name]
    path = tmp_path / "qdrop-0.json"
    content = wrong(row("qdrop", 0, 0.5))
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match=rf"{path}: .*{message}.*remove it and repeat the command"):
        results.load_row(path)


def config_of(row: results.Row) -> Config:
    border = row["border"]
    if "feedback" in border and not border.endswith("/clipping"):
        border += "/rounding"  # of before there was a choice of errors
    return Config(
        row.get("method", "aquant"),
        row["weight_bits"],
        row["act_bits"],
        row["iterations"],
        row.get("batch", 32),
        row["seed"],
        border,
    )


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.json")), ids=lambda path: path.stem)
def test_the_command_that_made_a_table_finds_its_rows_again(path: Path) -> None:
    for row in measured.load(path, {"key": str}):
        shipped = reference_models.get(row["model"]).weights_path(row["data"])
        origin = Origin(
            row["model"],
            row["data"],
            row["data"],
            shipped,
            hashlib.sha256(shipped.read_bytes()).hexdigest(),
            row["data_identity"],
        )
        if row["data"] == "shapes":
            assert origin == Origin.find(row["model"], "shapes")
        more = {n: row[n] for n in ("lowering", "fraction_bits", "profile") if n in row}
        assert row["key"] == origin.key(config_of(row), row["images"], **more)
        assert row["edition"] == EDITION
