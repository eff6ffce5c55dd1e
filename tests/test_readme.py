from __future__ import annotations

import re
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parent.parent
README = (CLONE / "README.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_example_in_python_has_at_most_20_lines_and_finds_no_difference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) <= 20
    exec(EXAMPLE, {})  # our own file
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9
    assert all(line.endswith("differ: 0") for line in lines)


def test_every_path_in_the_layout_exists() -> None:
    paths = re.findall(r"^\| `([\w./]+)`", README, re.MULTILINE)
    assert "aquant_ref/engine/" in paths
    for path in paths:
        assert (CLONE / path).exists(), path
