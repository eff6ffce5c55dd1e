from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.formats.atomic import (
    check_writable_file,
)
from aquant_ref.formats.temporary import temporary_folder

LIVE = """
import sys, time
from aquant_ref.formats.atomic import replacing, replacing_together
from pathlib import Path
with replacing(sys.argv[1] + "/file") as stream, replacing_together(sys.argv[1], ["a"]) as folder:
    (folder / "a").write_text("half")
    stream.write(b"half")
    stream.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="by age there")
def test_the_temporary_files_of_the_dead_are_removed_and_those_of_the_living_are_not(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", LIVE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        temporary = {path.name for path in tmp_path.iterdir()}
        assert len(temporary) == 2
        check_writable_file(tmp_path / "other")
        assert {path.name for path in tmp_path.iterdir()} == temporary
        process.kill()
    check_writable_file(tmp_path / "other")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="opens no folder")
def test_a_folder_that_is_taken_for_abandoned_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past bug: two who wrote one set met there, rarely, and one of them was refused."""
    opened, taken = os.open, list[Path]()

    def late(path: Path, flags: int, **more: Any) -> int:
        if not taken:
            taken.append(path)
            path.rmdir()
        return opened(path, flags, **more)

    monkeypatch.setattr(os, "open", late)
    with temporary_folder(tmp_path) as folder:
        assert folder.is_dir()
        assert folder != taken[0]
    assert not list(tmp_path.iterdir())
