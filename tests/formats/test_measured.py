from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.errors import InputError
from aquant_ref.formats import measured


def markdown(rows: Any) -> str:
    return "".join(f"| {row['key']} | {row['top1']} |\n" for row in rows)


def load(path: Path) -> list[measured.Row]:
    return measured.load(path, {"key": str, "top1": float})


def table(path: Path | None) -> measured.Table:
    return measured.Table(path, load, markdown)


def row(key: str, top1: float) -> measured.Row:
    return {"key": key, "top1": top1}


def test_rows_are_stored_with_the_markdown_of_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    made = table(path)
    assert made.read() == {}
    made.add([row("b", 0.5)])
    made.add([row("a", 0.25), row("b", 0.75)])  # the last of one key counts, in the first's place
    assert json.loads(path.read_text()) == {"format": 1, "rows": [row("b", 0.75), row("a", 0.25)]}
    assert path.with_suffix(".md").read_text() == "| b | 0.75 |\n| a | 0.25 |\n"
    assert table(path).read() == {"b": row("b", 0.75), "a": row("a", 0.25)}
    assert {each.name for each in tmp_path.iterdir()} == {"rows.json", "rows.md"}


def test_rows_that_another_table_has_added_meanwhile_stay(tmp_path: Path) -> None:
    one, other = (table(tmp_path / "rows.json") for _ in range(2))
    for each, key in ((one, "a"), (other, "b"), (one, "c")):
        each.add([row(key, 0.5)])
    assert list(one.read()) == ["a", "b", "c"]


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    made = table(path)
    made.add([row("a", 0.5)])
    before = path.stat().st_mtime_ns, path.with_suffix(".md").stat().st_mtime_ns
    made.add([row("a", 0.5)])
    assert (path.stat().st_mtime_ns, path.with_suffix(".md").stat().st_mtime_ns) == before


def test_a_table_without_a_file_is_in_memory() -> None:
    made = table(None)
    made.add([row("a", 0.5)])
    made.add([row("b", 0.5)])
    assert list(made.read()) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rows.txt", "does not end in .json"),
        ("no/rows.json", "no"),
        ("folder.json", "folder.json"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InputError, match=message):
        table(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "is not a JSON object"),
        ({"format": 2, "rows": []}, "is not a table of results of format 1"),
        ({"format": 1, "rows": {}}, "is not a table of results of format 1"),
        ({"format": 1, "rows": [5]}, "holds a row without 'key'"),
        ({"format": 1, "rows": [{"key": "a"}]}, "holds a row without 'top1'"),
        ({"format": 1, "rows": [row("a", "x")]}, "holds a row whose 'top1' is 'x'"),
        ({"format": 1, "rows": [{**row("a", 0.5), "model": []}]}, r"whose 'model' is \[\]"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_with_what_to_do(
    tmp_path: Path, content: Any, message: str
) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert str(refused.value).endswith(f"; {measured.TABLE}")
    path.unlink()
    assert load(path) == []


def test_rows_of_one_origin_are_shown_alone_and_others_with_theirs() -> None:
    show = measured.by_origin(markdown)
    one = {
        **row("a", 0.5),
        "weights_sha256": "0123456789abcdef",
        "data_identity": "d",
        "edition": 1,
    }
    assert show([one, {**one, "key": "b"}]) == "| a | 0.5 |\n| b | 0.5 |\n"
    other = {**one, "key": "b", "edition": 2}
    assert show([one, other]) == (
        "| a | 0.5 |\n\nWeights `0123456789ab`, data `d`, edition 1.\n\n"
        "| b | 0.5 |\n\nWeights `0123456789ab`, data `d`, edition 2.\n"
    )


def test_each_set_of_versions_is_one_line() -> None:
    rows = [{"versions": {"numpy": "2", "autograd": "1"}}, {"versions": {"numpy": "1"}}]
    assert measured.versions_lines([*rows, rows[0]]) == ["autograd 1, numpy 2.", "numpy 1."]
