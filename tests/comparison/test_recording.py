from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.comparison.recording import Recording
from aquant_ref.comparison.runs import compare_runs
from aquant_ref.engine import Engine
from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.lowering import Lowering
from tests.comparison.test_runs import IMAGES, MODEL, compared, recorded


def test_a_recording_comes_back_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    source = {"run": "engine", "program": "p", "data": "shapes", "images": 20}
    Recording(recorded().tensors, source).save(path)
    again = Recording.load(path)
    assert list(again.tensors) == list(recorded().tensors)
    assert again.origin == f"{path}, engine of p on shapes, 20 images"
    assert compare_runs(recorded(), again).equal
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]


def test_named_tensors_from_elsewhere_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "theirs.npz", **recorded().tensors)
    theirs = Recording.load(tmp_path / "theirs.npz")
    assert list(theirs.tensors) == list(recorded().tensors)
    assert theirs.origin == str(tmp_path / "theirs.npz")
    assert compared(theirs).equal


def test_what_is_true_or_false_is_read_as_1_or_0(tmp_path: Path) -> None:
    """Past bug: numpy subtracts no booleans, and the traceback ended with 1, as a difference."""
    np.savez(tmp_path / "theirs.npz", x=np.array([[True, False, True]]))
    theirs = Recording.load(tmp_path / "theirs.npz")
    ours = Recording({"x": np.array([[1, 1, 1]], np.uint8)})
    found = compare_runs(ours, theirs)
    assert [each.mismatches for each in found.tensors] == [1]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([[1.0, np.nan]]), "'x' holds NaN or infinity"),
        (np.array([[np.inf]]), "'x' holds NaN or infinity"),
        (np.array([[2**53 + 1]]), "'x' holds integers beyond 2^53"),
        (np.array([[2**63]], np.uint64), "'x' holds integers beyond 2^53"),
        (np.zeros((0, 3)), "'x' is empty"),
        (np.array(3), "'x' is empty or has no images"),
    ],
)
@pytest.mark.parametrize("ours", [True, False])
def test_what_is_no_tensor_of_a_run_is_refused(
    tmp_path: Path, array: np.ndarray, words: str, ours: bool
) -> None:
    path = tmp_path / "run.npz"
    if ours:
        Recording({"x": array}).save(path)
    else:
        np.savez(path, x=array)
    with pytest.raises(InputError, match=r"run\.npz: tensor") as error:
        Recording.load(path)
    assert words in str(error.value)


@pytest.mark.parametrize(
    "meta", [{}, {"order": ["y"], "source": {}}, {"order": 3, "source": {}}, {"order": ["x"]}]
)
def test_a_recording_with_other_metadata_is_refused(tmp_path: Path, meta: dict[str, Any]) -> None:
    path = tmp_path / "run.npz"
    native.save(path, "recording", meta=meta, arrays={"x": np.zeros((1, 2))})
    with pytest.raises(InputError, match=r"run\.npz: does not state"):
        Recording.load(path)


def test_a_recording_beyond_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aquant_ref.comparison.recording.MEMORY", 10_000)
    engine = Engine(Lowering(MODEL).program)

    class Set:
        labels = np.zeros(20, np.int64)

        def __len__(self) -> int:
            return 20

        def batch(self, indices: Any) -> np.ndarray:
            return IMAGES[indices]

    with pytest.raises(InputError, match="20 images need .* GiB; record at most "):
        Recording.of(engine.run, Set(), {}, batch=8)
