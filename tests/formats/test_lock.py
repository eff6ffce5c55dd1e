from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from aquant_ref.errors import InputError
from aquant_ref.formats import lock
from aquant_ref.formats.lock import locked

HOLDER = """
import sys, time
from aquant_ref.formats.lock import locked
with locked(sys.argv[1]):
    print("holding", flush=True)
    time.sleep(60)
"""


def test_two_who_count_under_the_lock_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "count"
    path.write_text("0")

    def count() -> None:
        for _ in range(20):
            with locked(path):
                path.write_text(str(int(path.read_text()) + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() == "80"
    assert [each.name for each in tmp_path.iterdir()] == ["count"]


def test_whoever_waits_says_so_and_a_killed_holder_blocks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rows.json"
    monkeypatch.setattr(lock, "PATIENCE", 0.05)
    (tmp_path / "link").symlink_to(path)  # of the same file
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "link")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        threading.Timer(0.2, process.kill).start()
        with caplog.at_level(logging.WARNING), locked(path):
            assert process.wait() != 0
    assert caplog.messages == [f"{path}: waiting for another process"]
    assert [each.name for each in tmp_path.iterdir()] == ["link"]


def test_what_cannot_be_locked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = tmp_path / "no" / "rows"
    with pytest.raises(InputError, match="rows: cannot be locked"), locked(nowhere):
        pass

    def without(descriptor: int) -> bool:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(lock, "try_lock", without)
    with pytest.raises(InputError, match="rows: cannot be locked"), locked(tmp_path / "rows"):
        pass
    assert list(tmp_path.iterdir()) == []
