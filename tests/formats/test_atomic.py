from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.formats.atomic import (
    check_writable_directory,
    check_writable_file,
    check_writable_together,
    replacing,
    replacing_together,
    write_json_atomic,
    write_text_atomic,
)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as stream:
            stream.write(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_rename_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "program.npz"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(InputError, match="program.npz: cannot be written .No space left"):
        native.save(path, "program", meta={}, arrays={"w": np.zeros(3)})
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_disk_before_the_rename_and_the_rename_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda *a: (calls.append("fsync"), fsync(*a)))
    monkeypatch.setattr(os, "replace", lambda *a: (calls.append("replace"), replace(*a)))
    write_text_atomic(tmp_path / "a.txt", "text")
    assert calls == ["fsync", "replace", "fsync"]


NAMES = ("model", "program", "result")


def write_set(directory: Path, text: str, names: tuple[str, ...] = NAMES) -> None:
    with replacing_together(directory, NAMES) as folder:
        for name in names:
            write_text_atomic(folder / name, text)


def texts(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_a_set_of_files_replaces_the_old_set(tmp_path: Path) -> None:
    write_set(tmp_path, "old")
    write_set(tmp_path, "new", ("model", "result"))
    assert texts(tmp_path) == {"model": "new", "result": "new"}


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_set_that_cannot_be_written_whole_leaves_the_old_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Past bug: a disk that was full at the second file left the first beside an old program."""
    write_set(tmp_path, "old")
    calls = []
    fsync = os.fsync

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > failing:
            raise OSError(27, "File too large")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=f"{NAMES[failing]}: cannot be written") as error:
        write_set(tmp_path, "new")
    assert str(error.value).startswith(str(tmp_path / NAMES[failing]))
    assert texts(tmp_path) == dict.fromkeys(NAMES, "old")


def test_an_interrupted_set_leaves_the_old_set(tmp_path: Path) -> None:
    def interrupted() -> None:
        with replacing_together(tmp_path, NAMES) as folder:
            write_text_atomic(folder / "model", "new")
            raise KeyboardInterrupt

    write_set(tmp_path, "old")
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert texts(tmp_path) == dict.fromkeys(NAMES, "old")


def test_a_set_cannot_replace_a_directory(tmp_path: Path) -> None:
    (tmp_path / "program").mkdir()
    with pytest.raises(InputError, match="program: is a directory"):
        write_set(tmp_path, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["program"]


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text_atomic(path, "line\nligne à toi\n")
    assert path.read_bytes() == b"line\nligne \xc3\xa0 toi\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    write_text_atomic(tmp_path / "ours", "")
    (tmp_path / "other").write_text("")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_json_keeps_the_order_of_its_keys(tmp_path: Path) -> None:
    value = {"model": "resnet8", "data": "shapes", "top1": {"float": 0.5, "engine": None}}
    write_json_atomic(tmp_path / "result.json", value)
    text = (tmp_path / "result.json").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert list(json.loads(text).items()) == list(value.items())


def test_json_refuses_nan_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json_atomic(tmp_path / "result.json", {"top1": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_file_cannot_replace_a_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory"):
        write_text_atomic(tmp_path, "text")


@pytest.mark.parametrize("write", [check_writable_file, lambda path: write_text_atomic(path, "")])
@pytest.mark.parametrize("name", ["new/a.txt", "new/folder/a.txt"])
def test_a_file_does_not_make_its_directory(
    tmp_path: Path, name: str, write: Callable[[Path], Any]
) -> None:
    """Past bug: one command made the misspelt folder of its output, without a word."""
    with pytest.raises(InputError, match=f"{name}: cannot be written .there is no folder"):
        write(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


CHECKS = (check_writable_file, check_writable_directory)


@pytest.mark.parametrize("check", [*CHECKS, lambda path: check_writable_together(path, NAMES)])
@pytest.mark.parametrize("name", ["caf\udce9", "a\0b", "n" * 300, "n" * 300 + "/f"])
def test_a_name_that_no_file_or_table_can_hold_is_refused_before_the_work(
    tmp_path: Path, name: str, check: Callable[[Path], Any]
) -> None:
    with pytest.raises(InputError):
        check(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_set_of_files_is_checked_before_it_is_made(tmp_path: Path) -> None:
    directory = tmp_path / "runs" / "first"
    assert check_writable_together(directory, NAMES) == directory
    assert list(tmp_path.iterdir()) == []
    (directory / "program").mkdir(parents=True)
    with pytest.raises(InputError, match="program: is a directory"):
        check_writable_together(directory, NAMES)


def test_a_file_cannot_be_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        write_text_atomic(tmp_path / "file" / "a.txt", "text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_check_of_an_output_directory_leaves_no_trace(tmp_path: Path) -> None:
    """Past bug: a run that was refused left an empty directory, parents included."""
    path = tmp_path / "runs" / "first"
    assert check_writable_directory(path) == path
    assert list(tmp_path.iterdir()) == []
    path.mkdir(parents=True)
    assert check_writable_directory(str(path)) == path
    assert list(path.iterdir()) == []


def test_a_set_of_files_makes_its_directory(tmp_path: Path) -> None:
    write_set(tmp_path / "runs" / "first", "new")
    assert texts(tmp_path / "runs" / "first") == dict.fromkeys(NAMES, "new")


def test_an_output_directory_cannot_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(InputError, match="file: is a file, not a directory"):
        check_writable_directory(path)


def test_an_output_directory_cannot_be_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be created"):
        check_writable_directory(tmp_path / "file" / "out")


def test_an_output_directory_must_be_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)  # root may write everywhere
    with pytest.raises(InputError, match="cannot be written to .Permission denied"):
        check_writable_directory(tmp_path)


def test_an_output_file_can_be_new_or_old_but_no_directory(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    for name in ("new", "old"):
        assert check_writable_file(tmp_path / name) == tmp_path / name
    assert texts(tmp_path) == {"old": "old"}
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder: is a directory"):
        check_writable_file(tmp_path / "folder")


@pytest.mark.parametrize("link", ["file", "new"])
def test_a_symbolic_link_stays_and_what_it_names_is_replaced(tmp_path: Path, link: str) -> None:
    """Past bug: the link was replaced, and the file that it named stayed as it was."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("old")
    path = tmp_path / "link"
    path.symlink_to(tmp_path / "elsewhere" / link)
    write_text_atomic(path, "new")
    assert path.is_symlink()
    assert (tmp_path / "elsewhere" / link).read_text() == "new"
    with replacing_together(tmp_path, ["link"]) as folder:
        write_text_atomic(folder / "link", "newer")
    assert path.is_symlink()
    assert (tmp_path / "elsewhere" / link).read_text() == "newer"


def test_a_symbolic_link_into_no_folder_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "none" / "file")
    with pytest.raises(InputError, match="there is no folder"):
        check_writable_file(tmp_path / "link")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFO")
def test_only_a_regular_file_is_replaced(tmp_path: Path) -> None:
    """Past bug: as root, `--junit /dev/null` put a file in the place of the device."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "device").symlink_to("/dev/null")
    (tmp_path / "loop").symlink_to("loop")
    for name, words in (
        ("fifo", "not a regular file"),
        ("device", "not a regular file"),
        ("loop", "symbolic links"),
    ):
        before = (tmp_path / name).lstat()
        for write in (write_text_atomic, lambda path, text: check_writable_file(path)):
            with pytest.raises(InputError, match=f"{name}: .*{words}"):
                write(tmp_path / name, "text")
        with (
            pytest.raises(InputError, match=f"{name}: .*{words}"),
            replacing_together(tmp_path, [name]),
        ):
            pass
        assert os.path.samestat((tmp_path / name).lstat(), before)


def test_two_who_write_one_set_leave_one_of_the_two(tmp_path: Path) -> None:
    """Past bug: files of one stayed among those of the other."""

    def write(text: str) -> None:
        for _ in range(10):
            write_set(tmp_path, text)

    threads = [threading.Thread(target=write, args=[text]) for text in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts(tmp_path) in (dict.fromkeys(NAMES, "one"), dict.fromkeys(NAMES, "two"))


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_set_whose_renames_fail_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Past bug: the second rename failed, and the first file was of the new set; one that the new
    set lacks was removed.
    """
    left = failing + len(NAMES)  # of the files in the temporary folder, and then of the set
    replace = os.replace

    def full(source: Path, target: Path) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(28, "No space left on device")
        replace(source, target)

    write_set(tmp_path / "old", "old")
    (tmp_path / "new").mkdir()
    monkeypatch.setattr(os, "replace", full)
    for folder, before in (("old", dict.fromkeys(NAMES, "old")), ("new", {})):
        left = failing + len(NAMES)
        with pytest.raises(InputError, match="No space left"):
            write_set(tmp_path / folder, "new")
        assert texts(tmp_path / folder) == before
