"""The guide to adapters: its example runs as printed, and so do its deviations."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from aquant_ref.cli.main import main
from aquant_ref.conformance import contract
from aquant_ref.conformance.adapters.engines.names import ENGINES
from aquant_ref.conformance.report import deviations
from tests.pages import CLONE, PAGES, blocks, commands, text

GUIDE = CLONE / "aquant_ref" / "conformance" / "ADAPTERS.md"
VARIATIONS = GUIDE.with_name("VARIATIONS.md")
(EXAMPLE,) = blocks(GUIDE, "python")
(DEVIATIONS,) = blocks(GUIDE, "toml")
(SHOWN,) = blocks(GUIDE, "text")


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the example, in the working directory; its name is one of a module."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine_of_the_guide.py"
    path.write_text(EXAMPLE, encoding="utf-8")
    return path


def counts_aside(report: str) -> list[str]:
    """The lines of a report, with what grows with the vectors left out as a page does."""
    short = re.sub(
        r"\d+ cases: \d+ pass(, \d+)?", lambda m: "... pass" + (m[1] and ", ..." or ""), report
    )
    short = re.sub(r"\d+ of \d+", "...", short)
    return [re.sub(" +", " ", line) for line in short.splitlines()]


def test_the_example_is_short_and_its_report_is_what_is_shown(
    adapter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(EXAMPLE.splitlines()) <= 22
    names = [line.split()[0] for line in SHOWN.splitlines()]
    assert main(["verify", *names, "--adapter", f"{adapter.stem}:Mine"]) == 0
    said = capsys.readouterr().out
    assert set(counts_aside(SHOWN)) <= set(counts_aside(said))
    assert re.search(r"def (\w+)\(self, \*", EXAMPLE)
    assert re.findall(r"def (\w+)\(self, \*", EXAMPLE) == names


def test_the_report_of_another_variation_names_it(
    adapter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = adapter.with_name("declares_another.py")
    other.write_text(EXAMPLE.replace("tflite_up", "tflite_away"), encoding="utf-8")
    assert main(["verify", "requantize", "--adapter", f"{other.stem}:Mine"]) == 1
    said = capsys.readouterr().out
    _, shown = blocks(VARIATIONS, "text")
    assert set(counts_aside(shown)) <= set(counts_aside(said))


def test_identify_says_what_the_guide_shows(
    adapter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["identify", "--adapter", f"{adapter.stem}:Mine"]) == 0
    said = capsys.readouterr().out.replace(adapter.stem, "mine")
    shown, _ = blocks(VARIATIONS, "text")
    assert set(counts_aside(shown)) <= set(counts_aside(said))


@pytest.mark.parametrize("given", [True, False])
def test_the_deviations_are_those_of_an_adapter_that_pads_by_code_0(
    adapter: Path, given: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    least = ", constant_values=-(2**31)"
    assert EXAMPLE.count(least) == 1
    wrong = adapter.with_name("pads_by_code_0.py")
    wrong.write_text(EXAMPLE.replace(least, ""), encoding="utf-8")
    Path("deviations.toml").write_text(DEVIATIONS, encoding="utf-8")
    known = ["--deviations", "deviations.toml"] * given
    code = main(["verify", "max_pool2d", "--adapter", f"{wrong.stem}:Mine", *known])
    assert code == (0 if given else 1)


@pytest.mark.parametrize(
    "block", [each for page in PAGES for each in blocks(page, "toml") if "[[deviation]]" in each]
)
def test_every_file_of_deviations_in_a_page_can_be_read(block: str, tmp_path: Path) -> None:
    (tmp_path / "deviations.toml").write_text(block, encoding="utf-8")
    assert deviations.load(tmp_path / "deviations.toml").entries


def test_the_page_of_the_kit_names_every_operation() -> None:
    assert contract.OPERATIONS.keys() <= set(
        re.findall(r"`(\w+)`", text(GUIDE.parent / "README.md"))
    )


def test_it_names_every_engine() -> None:
    engines = text(GUIDE).partition("## Engines")[2]
    assert set(re.findall(r"`([a-z][a-z-]*)`", engines)) == ENGINES.keys()
    for name, engine in ENGINES.items():
        (line,) = (line for line in engines.splitlines() if f"`{name}`" in line)
        of_clone = re.sub(r"'aquant-ref(\[.*?\])'.*", r"'.\1'", engine.install)
        assert of_clone in line


def test_transposed_tensors_have_the_axes_that_it_says() -> None:
    fields = {f.name: f.axes for f in contract.get("conv2d").fields}
    assert fields["x"] == ("C", "H", "W")
    assert fields["weight"] == ("O", "M", "KH", "KW")
    assert contract.get("depthwise").fields[3].axes == fields["weight"]


def test_the_page_of_variations_has_each_one_that_there_is() -> None:
    head = "| operation | alternative |"
    assert [page for page in PAGES if head in text(page)] == [VARIATIONS]
    named = set(re.findall(r"`([\w:]+)`", text(VARIATIONS)))
    assert contract.LAYER_VARIATIONS.keys() <= named
    for name, operation in contract.OPERATIONS.items():
        if operation.alternatives:
            assert name in named
            assert operation.alternatives.keys() <= named
    of_operations = {each for each in named if ":" in each}
    assert of_operations <= {f"{n}:{c}" for n, o in contract.OPERATIONS.items() for c in o.choices}


ALONE = re.compile(r"aquant-ref (verify|gen) (?!.*(linear|--pipe|--exec|--library|--adapter|[|<]))")


def test_commands_that_need_nothing_else_run_as_they_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = {each for page in GUIDE.parent.glob("*.md") for each in commands(page)}
    found = [each for each in printed if ALONE.match(each)]
    assert len(found) >= 2
    for command in found:
        few = ["--n", "20"] if "verify" in command else []  # for the time that it takes
        assert main([*shlex.split(command)[1:], *few]) == 0, command
        assert not capsys.readouterr().err
