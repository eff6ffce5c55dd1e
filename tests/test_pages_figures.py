"""Tables of results, on whatever page: every figure is the one of the committed rows."""

from __future__ import annotations

import json
import re
import statistics
from typing import Any

import pytest

from aquant_ref.experiments import table as results
from aquant_ref.ptq.methods import Config
from tests.pages import CLONE, PAGES, blocks, cells, name, text

STORED = CLONE / "reference_models" / "results"
DEFAULT = Config().iterations
WIDTHS = ("W2A2", "W4A4", "W8A8")


def tables(kind: str) -> list[tuple[str, str, str]]:
    """Page, file of rows and text of each table under a comment `KIND: FILE`."""
    marked = re.compile(rf"<!-- {kind}: ([\w-]+) -->\n\n((?:\|.*\n)+)")
    return [(name(page), *found) for page in PAGES for found in marked.findall(text(page))]


TABLES, FIXED_POINT = tables("results"), tables("fixed point")


def chosen(rows: list[results.Row], name: str, bits: str, iterations: int) -> list[results.Row]:
    """The rows of METHOD or METHOD@FORM, as `aquant-ref table` takes it, one a seed."""
    method, _, form = name.partition("@")
    wanted = method, Config(method, border=form).recorded_border, bits, iterations
    return [
        row
        for row in rows
        if wanted
        == (
            row["method"],
            row["border"],
            f"W{row['weight_bits']}A{row['act_bits']}",
            row["iterations"],
        )
        and not {"mixing", "search"} & row.keys()
    ]


def accuracy(rows: list[results.Row]) -> str:
    top = [100 * row["top1"] for row in rows]
    spread = f" [{min(top):.2f} .. {max(top):.2f}]" if len(top) > 1 else ""
    return f"{statistics.mean(top):.2f}{spread}"


def error(rows: list[results.Row]) -> str:
    return f"{statistics.mean(row['block_error'] for row in rows):.1f}"


def test_there_are_such_tables() -> None:
    assert {"resnet8-cifar10", "mobilenet-cifar10", "resnet8-shapes"} <= {f for _, f, _ in TABLES}
    assert "README.md" in {page for page, _, _ in TABLES}
    assert FIXED_POINT


@pytest.mark.parametrize(("page", "file", "table"), TABLES)
def test_every_figure_of_a_table_is_that_of_its_rows(page: str, file: str, table: str) -> None:
    rows = results.load(STORED / f"{file}.json")
    head, _, *lines = table.splitlines()
    checked = 0
    for line in lines:
        method = re.findall(r"`([\w@/-]+)`", cells(line)[0])[0]
        bits = ""
        for column, cell in zip(cells(head)[1:], cells(line)[1:], strict=True):
            if match := re.fullmatch(r"(W\d+A\d+)(?:, (\d+) iterations)?", column):
                bits, iterations = match[1], int(match[2] or DEFAULT)
                mine = chosen(rows, method, bits, iterations)
            if not cell:
                continue
            assert mine, f"{file} has no row of {method} at {bits}"
            assert cell == (error(mine) if column == "error" else accuracy(mine)), (method, bits)
            checked += 1
    assert checked


def fixed_point(file: str) -> dict[tuple[str, int], dict[str, Any]]:
    """The row of each width and number of fraction bits."""
    content = json.loads((STORED / "fixed_point" / f"{file}.json").read_text(encoding="utf-8"))
    return {
        (f"W{row['weight_bits']}A{row['act_bits']}", row["fraction_bits"]): row
        for row in content["rows"]
    }


@pytest.mark.parametrize(("page", "file", "table"), FIXED_POINT)
def test_every_figure_by_fraction_bits_is_that_of_its_row(page: str, file: str, table: str) -> None:
    rows = fixed_point(file)
    head, _, *lines = table.splitlines()
    widths = [column.partition(":")[0] for column in cells(head)[1::2]]
    for line in lines:
        bits, *figures = cells(line)
        mine = [rows[width, int(bits)] for width in widths]
        assert figures[::2] == [f"{100 * row['codes_differ']:.2f} %" for row in mine]
        assert figures[1::2] == [f"{100 * row['top1']['engine']:.2f}" for row in mine]
    assert len(lines) * len(widths) == len(rows)


def test_the_sentences_about_fixed_point_are_true() -> None:
    said = " ".join(text(STORED / "README.md").split())
    shapes, cifar10 = fixed_point("resnet8-shapes"), fixed_point("resnet8-cifar10")
    first, second, third = (f"{100 * shapes[w, 8]['top1']['ideal']:.2f}" for w in WIDTHS)
    assert f"With thresholds, top-1 is {first}, {second} and {third} %." in said
    assert "In the first tensor 0.06 % of the codes differ at F = 8." in said
    assert f"{100 * shapes['W8A8', 8]['tensors_differ']['stem.relu']:.2f}" == "0.06"
    first, second, third = (f"{100 * cifar10[w, 8]['codes_differ']:.2f}" for w in WIDTHS)
    assert f"{first}, {second} and {third} % of the codes differ at F = 8" in said
    away = [abs(row["top1"]["engine"] - row["top1"]["ideal"]) for row in cifar10.values()]
    assert "within 0.7 points of that with thresholds at every F" in said
    assert max(away) <= 0.007


def mean(file: str, method: str, bits: str, iterations: int = DEFAULT, seeds: int = 3) -> float:
    rows = chosen(results.load(STORED / f"{file}.json"), method, bits, iterations)
    assert len(rows) == seeds
    return 100 * statistics.mean(row["top1"] for row in rows)


CIFAR10, FORMS, SHAPES = "resnet8-cifar10", "resnet8-cifar10-forms", "resnet8-shapes"
RESULTS, CLAIMS = "reference_models/results/README.md", "aquant_ref/claims/README.md"
# page, sentence, then for each of its gains: file, better method, other method, bits
GAINS = [
    (
        RESULTS,
        "{:.1f} points over biases at W2A2, {:.1f} with exact weights (W32A2), {:.1f} on `shapes`",
        (CIFAR10, "aquant@row", "qdrop-bias", "W2A2"),
        (CIFAR10, "aquant@row", "qdrop-bias", "W32A2"),
        (SHAPES, "aquant@row", "qdrop-bias", "W2A2"),
    ),
    (
        RESULTS,
        "biases gain nothing and a border gains {:.1f} and {:.1f} points",
        ("mobilenet-cifar10", "aquant", "qdrop", "W4A4"),
        (SHAPES, "aquant", "qdrop", "W2A2"),
    ),
    (
        RESULTS,
        "With exact weights it gains {:.1f} points, nearly as much",
        (CIFAR10, "aquant-closed-form", "qdrop", "W32A2"),
    ),
    (
        CLAIMS,
        "{:.2f} points for each channel and {:.2f} for each row at W2A2",
        (CIFAR10, "aquant", "qdrop", "W2A2"),
        (CIFAR10, "aquant@row", "qdrop", "W2A2"),
    ),
    (
        CLAIMS,
        "On `mobilenet`, which has fewer errors to feed back, it gains {:.1f} and {:.1f} points",
        ("mobilenet-cifar10", "aquant-feedback@feedback/rounding", "qdrop", "W2A4"),
        ("mobilenet-cifar10", "aquant-feedback@feedback/rounding", "qdrop", "W4A4"),
    ),
]


@pytest.mark.parametrize(("page", "sentence", "gains"), [(p, s, g) for p, s, *g in GAINS])
def test_a_gain_that_a_sentence_names_is_that_of_the_rows(
    page: str, sentence: str, gains: list[tuple[str, str, str, str]]
) -> None:
    found = [mean(f, better, bits) - mean(f, other, bits) for f, better, other, bits in gains]
    assert sentence.format(*found) in " ".join(text(CLONE / page).split())


def test_the_output_in_the_readme_is_that_of_the_rows() -> None:
    (output, *_) = blocks(CLONE / "README.md", "text")
    (row,) = (
        row
        for row in chosen(results.load(STORED / f"{SHAPES}.json"), "aquant", "W2A2", DEFAULT)
        if row["seed"] == 0
    )
    exact = json.loads((STORED / "exact" / f"{SHAPES}.json").read_text(encoding="utf-8"))
    said = " ".join(output.split())
    assert f"float {100 * row['float_top1']:.2f} %" in said
    for program in ("simulated", "integers"):
        assert f"aquant, {program} {100 * row['top1']:.2f} %" in said
    assert f"{exact['rows'][0]['elements']} elements, 0 mismatches" in said


def test_the_readme_says_how_much_faster_onnxruntime_is() -> None:
    stored = json.loads((CLONE / "tests/bench/results/bench.json").read_text(encoding="utf-8"))
    ratios = [1 / row["ratio"] for row in stored["rows"] if "onnxruntime" in row["beside"]]
    assert [round(ratio) for ratio in sorted(ratios)] == [2, 5]
    said = " ".join(text(CLONE / "README.md").split())
    assert "onnxruntime's 8-bit kernels are two to five times as fast" in said
