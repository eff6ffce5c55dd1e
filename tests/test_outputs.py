from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_arguments import refused

ONE_FILE = [
    ["verify", "--junit", "x", "--html", "./x"],
    ["check", "round", "--junit", "x", "--html", "x"],
    ["verify", "--deviations", "w.npz", "--junit", "w.npz"],
    ["train", "tiny", "--data", "idx:set", "--out", "set/train-images-idx3-ubyte"],
    ["train", "tiny", "--data", "cifar10:w.npz", "--out", "link.npz"],
    ["quantize", "--weights", "saved/model.npz", "--out", "saved"],
    ["quantize", "--weights", "saved/model.npz", "--out", "linked"],
    ["run", "saved", "--record", "saved/program.npz"],
    ["run", "linked", "--record", "saved/model.npz"],
    ["table", "--weights", "rows.json", "--out", "rows.json"],
    ["exact", "--weights", "rows.md", "--out", "rows.json"],
    ["fixed-point", "--weights", "hard.json", "--out", "rows.json"],
    ["claim", "2", "--weights", "w.npz", "--out", "w.npz"],
    ["claim", "2", "--data", "folder:set", "--out", "set/0.png"],
    ["prove", "clip", "--library", "w.npz", "--out", "w.npz"],
    ["compare", "A", "B", "--threads", "0"],
]


@pytest.mark.parametrize("words", ONE_FILE, ids=" ".join)
def test_a_file_that_is_read_is_not_written_and_none_is_written_twice(
    words: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Past bug: `--out` replaced the weights that the command had read."""
    (place / "saved").mkdir()
    for name in ("saved/model.npz", "saved/program.npz", "rows.json", "rows.md", "set/0.png"):
        (place / name).write_text("as it was")
    (place / "link.npz").symlink_to("w.npz")
    (place / "linked").symlink_to("saved")
    (place / "hard.json").hardlink_to(place / "rows.json")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    line = refused(words, capsys)
    assert any(each in line for each in ("is the file of", "is a file of", "threads")), line
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
