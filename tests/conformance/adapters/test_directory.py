"""The directory of one case, and the results in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aquant_ref.conformance.adapters.directory import NoAnswer, read_result, renew, write_case
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.errors import InputError

POOL = OPERATIONS["max_pool2d"]
(RESULT,) = POOL.result


def written(directory: Path) -> dict[str, object]:
    inputs = {
        **{"x": np.array([[[1, -2]]]), "kernel": np.array([1, 2]), "stride": np.array([1, 1])},
        **{"padding": np.zeros(4, int), "dilation": np.array([1, 1])},
    }
    write_case(directory, {"op": "max_pool2d", "id": "a"}, POOL.fields, POOL.result, inputs)
    described: dict[str, object] = json.loads((directory / "desc.json").read_text())
    return described


def test_a_case_is_described_line_by_line_with_its_tensors_beside(tmp_path: Path) -> None:
    case = written(tmp_path)
    assert list(case)[:3] == ["format", "op", "id"]
    assert (case["kernel"], case["x"], case["results"]) == ([1, 2], "in_x.npy", ["q"])
    x = np.load(tmp_path / "in_x.npy", allow_pickle=False)
    assert (x.tolist(), x.dtype) == ([[[1, -2]]], np.dtype("<i4"))
    assert '"kernel": [1, 2],\n' in (tmp_path / "desc.json").read_text()


def test_an_earlier_run_is_removed_and_nothing_else(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "out_q.npy").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    renew(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_link_is_no_directory_for_a_case(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="link: is a link, not a directory"):
        renew(tmp_path / "link")


def test_a_result_of_any_integer_type_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "out_q.npy", np.array([[[7]]], np.int8))
    assert read_result(tmp_path, RESULT).tolist() == [[[7]]]


@pytest.mark.parametrize(
    ("array", "what", "problem"),
    [
        (None, "missing", "missing output"),
        (np.zeros((1, 1)), "invalid", "wrong dtype"),
        (np.full((1, 1, 1), np.nan), "invalid", "NaN output"),
        (np.zeros((1, 1), int), "invalid", "wrong shape"),
    ],
)
def test_what_is_no_result_is_said(
    array: np.ndarray | None, what: str, problem: str, tmp_path: Path
) -> None:
    if array is not None:
        np.save(tmp_path / "out_q.npy", array)
    with pytest.raises(NoAnswer) as error:
        read_result(tmp_path, RESULT)
    assert (error.value.what, error.value.problem) == (what, problem)
