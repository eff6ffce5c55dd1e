"""What a command goes on from: its own rows, of what it is given now, whoever else writes them."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

import reference_models
from aquant_ref.cli import commands, main
from aquant_ref.experiments import exactness, fraction_bits, grid, quantize, worker
from aquant_ref.experiments.origin import Origin
from aquant_ref.formats import lock, measured
from tests import tiny

CLONE = Path(__file__).resolve().parents[2]
# Every command that goes on from the rows of its --out.
TABLES = {
    "exact": ["exact", "--lowerings", "threshold"],
    "fixed-point": ["fixed-point", "--fraction-bits", "4"],
    "table": ["table", "--methods", "qdrop-scales"],
}
each_table = pytest.mark.parametrize("name", TABLES)


class Here:
    """In the place of a pool of processes: what is submitted is done at once, in this one."""

    def __init__(self, workers: int, context: Any, start: Any, arguments: tuple[Any, ...]) -> None:
        worker._process = worker._Process(*arguments)

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *error: object) -> None:
        worker._process = None

    def submit(self, function: Callable[..., None], *arguments: Any) -> Future[None]:
        done: Future[None] = Future()
        done.set_result(function(*arguments))
        return done


@dataclass
class Place:
    """Two data sets with as many images, two files of weights, a table, and what was computed."""

    folder: Path
    loads: list[Any]

    def run(self, name: str, *more: str, data: str = "a", weights: str = "a.npz") -> int:
        given = [
            *TABLES[name],
            *("--model", "tiny", "--images", "40", "--iters", "2"),
            *("--data", f"idx:{self.folder / data}", "--weights", str(self.folder / weights)),
            *("--out", str(self.out), *more),
        ]
        return main.main(given)

    @property
    def out(self) -> Path:
        return self.folder / "rows.json"

    def rows(self) -> list[Any]:
        return json.loads(self.out.read_text())["rows"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    for seed, name in enumerate("ab"):
        tiny.write_set(folder / name, seed)
        tiny.write_weights(folder / f"{name}.npz", seed)
    return folder


@pytest.fixture
def place(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    folder = Path(shutil.copytree(written, tmp_path / "place"))
    loads: list[Any] = []
    load = Origin.load
    monkeypatch.setitem(reference_models.MODELS, "tiny", tiny.TINY)
    monkeypatch.setattr(
        Origin, "load", lambda self, **more: (loads.append(self), load(self, **more))[1]
    )
    monkeypatch.setattr(grid, "ProcessPoolExecutor", Here)
    return Place(folder, loads)


@each_table
def test_rows_of_other_weights_or_another_set_are_not_taken_for_those_asked_for(
    name: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """Past bug: the old rows were shown, also for a weights file that does not exist."""
    assert place.run(name) == 0
    (first,) = place.rows()
    assert place.run(name, weights="b.npz") == 0
    assert place.run(name, data="b") == 0
    rows = place.rows()
    assert first in rows
    of = {(row["weights_sha256"], row["data_identity"]) for row in rows}
    assert len(of) == len(rows) == len({row["key"] for row in rows}) == 3
    capsys.readouterr()
    before = place.out.read_bytes()
    assert place.run(name, weights="none.npz") == 2
    assert place.run(name, data="none") == 2
    error = capsys.readouterr().err
    assert "none.npz: no such file" in error
    assert f"{place.folder / 'none'}: no such" in error
    assert place.out.read_bytes() == before


@each_table
def test_the_same_weights_and_images_elsewhere_are_the_same(name: str, place: Place) -> None:
    assert place.run(name) == 0
    place.loads.clear()
    (place.folder / "a").rename(place.folder / "moved")
    (place.folder / "a.npz").rename(place.folder / "moved.npz")
    before = place.out.read_bytes()
    assert place.run(name, data="moved", weights="moved.npz") == 0
    assert place.out.read_bytes() == before
    assert place.loads == []


@each_table
def test_weights_or_images_that_change_under_the_same_name_are_computed_anew(
    name: str, place: Place
) -> None:
    assert place.run(name) == 0
    shutil.copyfile(place.folder / "b.npz", place.folder / "a.npz")
    assert place.run(name) == 0
    images = place.folder / "a" / "t10k-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1] + b"\0")
    assert place.run(name) == 0
    assert len(place.rows()) == 3


@each_table
def test_the_printed_table_is_of_what_was_asked_for_and_the_written_one_tells_all_apart(
    name: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.run(name) == 0
    first = capsys.readouterr().out
    assert place.run(name, weights="b.npz") == 0
    second = capsys.readouterr().out
    both = place.out.with_suffix(".md").read_text()
    assert first in both
    assert second in both
    for row in place.rows():
        assert row["weights_sha256"][:12] in both
        assert row["weights_sha256"][:12] not in first + second


@each_table
@pytest.mark.parametrize("what", ["a.npz", "a"])
def test_weights_and_images_that_change_during_the_work_are_noticed(
    name: str,
    what: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    find = Origin.find

    def changed(*given: Any) -> Origin:
        origin = find(*given)
        path = place.folder / what
        file = path / "train-images-idx3-ubyte" if path.is_dir() else path
        other = place.folder / what.replace("a", "b")
        shutil.copyfile(other / file.name if path.is_dir() else other, file)
        return origin

    monkeypatch.setattr(Origin, "find", changed)
    assert place.run(name) == 2
    assert f"{what}: has changed while it was in use" in capsys.readouterr().err
    assert not place.out.exists()


@each_table
def test_a_markdown_that_was_not_written_is_written_by_the_next_call(
    name: str, place: Place
) -> None:
    assert place.run(name) == 0
    markdown = place.out.with_suffix(".md")
    text = markdown.read_text()
    markdown.unlink()
    assert place.run(name) == 0
    assert markdown.read_text() == text


ODD = {
    "versions": [["numpy", "2"], {"numpy": [1]}],
    "top1": ["high", [], {"engine": "high", "ideal": {}}],
    "key": [3, None, ["a"]],
}


@each_table
def test_rows_of_odd_values_are_one_line_before_the_work(
    name: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """Past bug: a traceback, of some after the work."""
    assert place.run(name) == 0
    (row,) = place.rows()
    place.loads.clear()
    for field, values in ODD.items():
        for value in values:
            odd = {**row, field: value}
            place.out.write_text(json.dumps({"format": 1, "rows": [odd]}))
            before = place.out.read_bytes()
            capsys.readouterr()
            assert place.run(name, weights="b.npz") == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert f"{place.out}: holds" in line
            assert place.out.read_bytes() == before
    assert place.loads == []


def test_a_network_that_was_quantized_is_not_quantized_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past bug: what ended between two rows, or before the first, had all to be done again."""
    more = {"exact": ["--lowerings", "threshold,fixed_point"], "fixed-point": []}
    for name, module, compare in (
        ("exact", exactness, "compare"),
        ("fixed-point", fraction_bits, "compare_with_ideal"),
    ):
        place.out.unlink(missing_ok=True)
        with monkeypatch.context() as patch:
            patch.setattr(module, compare, lambda *given, **options: 1 / 0)
            assert place.run(name, *more[name]) == 70
        cells = place.folder / "rows.cells"
        (kept,) = cells.iterdir()
        with monkeypatch.context() as patch:
            patch.setattr("aquant_ref.experiments.resumable.quantize_with", None)
            assert place.run(name, *more[name]) == 0
        assert not cells.exists()


KEPT = {"exact": "model-*.npz", "fixed-point": "model-*.npz", "table": "first-*.npz"}


@each_table
def test_a_damaged_file_that_a_command_keeps_for_itself_is_to_be_removed(
    name: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        for module, after in (
            (exactness, "compare"),
            (fraction_bits, "compare_with_ideal"),
            (worker, "evaluate"),
        ):
            patch.setattr(module, after, lambda *given, **options: 1 / 0)
        assert place.run(name) == 70
    (kept,) = (place.folder / "rows.cells").glob(KEPT[name])
    kept.write_bytes(kept.read_bytes()[:100])
    capsys.readouterr()
    assert place.run(name) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"aquant-ref: error: {kept}: ")
    assert line.endswith("; remove it and repeat the command")
    kept.unlink()
    assert place.run(name) == 0


@pytest.mark.parametrize(("first", "then"), list(permutations(TABLES, 2)))
def test_a_table_of_another_command_is_left_alone(
    first: str, then: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = {"exact": "exact/resnet8-shapes", "fixed-point": "fixed_point/resnet8-shapes"}
    path = CLONE / "reference_models/results" / f"{stored.get(first, 'resnet8-shapes')}.json"
    before = path.read_bytes()
    place.out.write_bytes(before)
    assert place.run(then) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("; give --out another name, or remove the file if nobody needs it")
    assert place.out.read_bytes() == before


# The commands, each with its --out, once it is known that both have read the table.
AT_ONCE = """
import sys, time
from pathlib import Path
from aquant_ref.experiments.origin import Origin
from tests import tiny

load = Origin.load
mine, other = map(Path, sys.argv[1:3])

def together(self, **options):
    mine.touch()
    while not other.exists():
        time.sleep(0.005)
    return load(self, **options)

Origin.load = together
tiny.register()
sys.exit(tiny.main.main(sys.argv[3:]))
"""


def test_two_processes_with_one_table_lose_no_row(place: Place) -> None:
    """Past bug: both ended with 0, and the rows of one were lost."""
    marks = [str(place.folder / mark) for mark in ("one", "two")]
    given = [*("--model", "tiny", "--images", "40", "--iters", "1", "--out", str(place.out))]
    given += ["--data", f"idx:{place.folder / 'a'}", "--weights", str(place.folder / "a.npz")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", AT_ONCE, *order, "exact", *given, "--bits", bits],
            stdout=subprocess.DEVNULL,
        )
        for order, bits in ((marks, "W2A2,W3A3"), (marks[::-1], "W4A4,W2A3"))
    ]
    try:
        assert [process.wait(60) for process in processes] == [0, 0]
    finally:
        for process in processes:  # which waits for the other for good
            process.kill()
            process.wait()
    bits = {(row["weight_bits"], row["act_bits"]) for row in place.rows()}
    assert bits == {(2, 2), (3, 3), (4, 4), (2, 3)}
    assert len(place.rows()) == 4 * 3
    assert not [path for path in place.folder.iterdir() if path.suffix in (".lock", ".tmp")]


def test_rows_that_another_process_has_added_meanwhile_stay(place: Place) -> None:
    """The same in one process, of what all three tables write with."""
    tables = [
        measured.Table(place.out, lambda path: measured.load(path, {}), lambda rows: f"{rows}")
        for _ in range(2)
    ]
    for number, table in enumerate(tables):
        table.read()
        table.add([{"key": f"{number}"}])
    tables[0].add([{"key": "2"}])
    assert [row["key"] for row in place.rows()] == ["0", "1", "2"]


def train(place: Place, *more: str, data: str = "a") -> list[str]:
    out = str(place.folder / "trained.npz")
    return ["train", "tiny", "--data", f"idx:{place.folder / data}", "--out", out, *more]


def interrupted_training(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(steps: Any, label: str) -> Any:
        if label == "epoch 2":
            raise KeyboardInterrupt
        return steps

    with monkeypatch.context() as patch:
        patch.setattr(commands, "progress", interrupt)
        assert main.main(train(place)) == 130


def test_a_training_does_not_go_on_from_that_of_other_images_seed_or_recipe(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Past bug: images of another folder with as many of them were taken for the same."""
    interrupted_training(place, monkeypatch)
    capsys.readouterr()
    for other, words in (
        (train(place, data="b"), "another data"),
        (train(place, "--seed", "1"), "another seed"),
        (train(place, "--epochs", "2"), "another recipe"),
    ):
        assert main.main(other) == 2
        line = capsys.readouterr().err
        assert "trained.checkpoint.npz: belongs to another" in line
        assert words in line
    assert main.main(train(place)) == 0
    assert "epoch 1" not in capsys.readouterr().err


def test_two_trainings_to_one_file_come_one_after_the_other(place: Place) -> None:
    """Past bug: both wrote one checkpoint, and the one that ended last did not find it."""
    command = [sys.executable, "-m", "tests.tiny", *train(place)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
    left = {path.name for path in place.folder.iterdir()}
    assert left == {"a", "b", "a.npz", "b.npz", "trained.npz"}
    assert quantize.native.load(place.folder / "trained.npz", "weights")[0]["seed"] == 0


@pytest.mark.parametrize("name", [*TABLES, "train", "quantize"])
def test_a_file_system_without_locks_is_one_line_before_the_work(
    name: str, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without(descriptor: int) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    def work(*given: Any, **options: Any) -> Any:
        raise AssertionError("the work has started")

    monkeypatch.setattr(lock, "try_lock", without)
    monkeypatch.setattr(Origin, "load", work)
    monkeypatch.setattr(quantize.Inputs, "load", work)
    monkeypatch.setattr(quantize, "train_graph", work)
    before = sorted(place.folder.rglob("*"))
    others = {"train": train(place), "quantize": ["quantize", "--out", str(place.folder / "new")]}
    assert (place.run(name) if name in TABLES else main.main(others[name])) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be locked (No locks available)" in line
    assert sorted(place.folder.rglob("*")) == before
