"""Both ends of the pipe: cases out, a report of the answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.protocol.check_stream import check, gen
from aquant_ref.conformance.report.report import Report
from aquant_ref.errors import InputError

SELECTION = Selection("clip", seed=3)


def asked(count: int = 12) -> list[str]:
    """The lines that a kernel reads."""
    written: list[str] = []
    gen(SELECTION, range(count), written.append)
    return "".join(written).splitlines()


def judged(answers: list[str], path: Path, count: int = 12) -> Report:
    path.write_text("".join(f"{line}\n" for line in answers))
    with path.open("rb") as stream:
        return check(SELECTION, range(count), stream, timeout=30)


def right(line: str) -> str:
    case, v, low, high = line.split()
    return f"{case} {min(max(int(v), int(low)), int(high))}"


def test_right_answers_pass_and_one_wrong_one_is_shown(tmp_path: Path) -> None:
    head, *lines = asked()
    answers = [head, *map(right, lines)]
    assert judged(answers, tmp_path / "a").exit_code == 0
    answers[5] = "4 123456789"
    report = judged(answers, tmp_path / "a")
    (failure,) = report.failures
    assert report.total()["fail"] == 1
    assert report.total()["pass"] == 11
    replay = "clip --seed 3 --only 4"
    assert failure.replay == f"aquant-ref gen {replay} | ./kernel | aquant-ref check {replay}"


def test_blocks_are_judged_like_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head, *lines = asked()
    answers = [head, *map(right, lines)]
    for module in ("check_stream", "streams"):
        monkeypatch.setattr(f"aquant_ref.conformance.protocol.{module}.BLOCK", 5)
    assert judged(answers, tmp_path / "a").total()["pass"] == 12


def test_what_has_no_cases_is_refused_at_both_ends(tmp_path: Path) -> None:
    nothing = Selection("add", rejects=True)
    with pytest.raises(InputError, match="has no input that has to be refused"):
        gen(nothing, range(3), print)
    (tmp_path / "a").write_text("")
    with (
        (tmp_path / "a").open("rb") as stream,
        pytest.raises(InputError, match="has no input that has to be refused"),
    ):
        check(nothing, range(3), stream, timeout=30)
