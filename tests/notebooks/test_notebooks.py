"""The notebooks: how each is built, what is committed of it, and that it runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

CLONE = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted((CLONE / "notebooks").glob("*.ipynb"))
SPEC = (CLONE / "aquant_ref" / "SPEC.md").read_text(encoding="utf-8")
RULES = set(re.findall(r"^\*\*(AQ-[A-Z]+-\d+)\*\*", SPEC, re.MULTILINE))

LARGEST = 300_000  # bytes
SECONDS = 600  # that a cell may take on a busy machine
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|tmp|root|work|usr|Users|opt)/\w")

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells_of(path: Path) -> list[dict[str, Any]]:
    """The cells, each with its `source` in one piece."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in cells]


def draws(cell: dict[str, Any]) -> bool:
    return any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))


def is_markdown(cell: dict[str, Any], start: str) -> bool:
    return cell["cell_type"] == "markdown" and cell["source"].startswith(start)


def is_code(cell: dict[str, Any], start: str = "") -> bool:
    return cell["cell_type"] == "code" and cell["source"].startswith(start)


# How they are built


def test_they_are_numbered_from_zero_without_gaps() -> None:
    assert NOTEBOOKS
    assert [path.stem[:3] for path in NOTEBOOKS] == [f"{k:02}_" for k in range(len(NOTEBOOKS))]


@each
def test_it_starts_with_its_number_what_you_will_know_and_what_you_need(path: Path) -> None:
    first = cells_of(path)[0]
    assert is_markdown(first, f"# {path.stem[:2]} ")
    assert "**At the end you will know**" in first["source"]
    assert "**You need**" in first["source"]


@each
def test_every_figure_has_its_sentence(path: Path) -> None:
    cells = cells_of(path)
    for cell, following in zip(cells, [*cells[1:], {"cell_type": ""}], strict=True):
        assert not draws(cell) or is_markdown(following, "**What to see.**"), cell["source"]


@each
def test_the_rules_that_it_cites_exist(path: Path) -> None:
    cited = {r for cell in cells_of(path) for r in re.findall(r"AQ-[A-Z]+-\d+", cell["source"])}
    assert cited
    assert cited <= RULES


@each
def test_it_ends_with_exercises_that_are_solved_and_checked(path: Path) -> None:
    cells = cells_of(path)
    (start,) = [i for i, cell in enumerate(cells) if is_markdown(cell, "## Exercises")]
    exercises = cells[start + 1 :]
    assert len(exercises) % 3 == 0
    assert len(exercises) // 3 in (2, 3)
    for number, i in enumerate(range(0, len(exercises), 3), 1):
        task, solution, check = exercises[i : i + 3]
        assert is_markdown(task, f"### Exercise {number}\n")
        assert is_code(solution, "# solution\n")
        assert is_code(check, "# check\n")
        assert re.search(r"^ *assert ", check["source"], re.MULTILINE)


@each
def test_it_is_committed_executed_without_errors_warnings_and_paths(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) <= LARGEST
    assert not MACHINE_PATH.search(text)
    assert json.loads(text)["metadata"]["kernelspec"]["name"] == "python3"
    cells = [cell for cell in cells_of(path) if is_code(cell)]
    counts = [cell["execution_count"] for cell in cells]
    assert counts == list(range(1, len(cells) + 1))
    for output in (output for cell in cells for output in cell["outputs"]):
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr", output["text"]


# That they run


@each
@pytest.mark.filterwarnings("ignore")  # of jupyter; those of a notebook are in its outputs
def test_it_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the quick form, in which it learns less; its asserts hold all the same."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("ipykernel")
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("AQUANT_REF_QUICK", "1")
    monkeypatch.setenv("PYTHONPATH", str(CLONE))
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=SECONDS, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [o.text for o in outputs if o.get("name") == "stderr"]
