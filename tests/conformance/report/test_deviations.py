from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import Adapter, vectors, verify
from aquant_ref.conformance.adapters import EngineAdapter
from aquant_ref.conformance.report.deviations import Deviation, Deviations, load
from aquant_ref.conformance.report.report import EXIT_MISMATCH, EXIT_PASS, EXIT_STALE, Report
from aquant_ref.errors import InputError


class Cuts(Adapter):
    """Wrong beyond int32 alone."""

    def clip(self, *, v: Any, low: Any, high: Any) -> Any:
        return np.clip(v.astype(np.int32), low, high)


ALL = ("clip/beyond_int32", "type_end", "range_end")  # and random, where it shows


def written(tmp_path: Path, text: str) -> Deviations:
    path = tmp_path / "deviations.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def entry(**fields: str | float) -> str:
    shown = {k: f'"{v}"' if isinstance(v, str) else v for k, v in fields.items()}
    return "[[deviation]]\n" + "".join(f"{k} = {v}\n" for k, v in shown.items())


def flagged(*flags: str) -> str:
    return "".join(entry(flag=f, kind="known-bug", reason="cuts to 32 bits") for f in flags)


def run(deviations: Deviations) -> Report:
    return verify(Cuts(), operations=["clip"], generated=0, deviations=deviations)


def test_what_is_known_is_deviating_and_neither_passed_nor_failed(tmp_path: Path) -> None:
    assert run(Deviations()).exit_code == EXIT_MISMATCH
    known = written(tmp_path, flagged(*ALL, "clip:core-int/random"))
    report = run(known)
    assert report.exit_code == EXIT_PASS
    found = report.total()
    assert found["deviating"] > 0
    assert found["fail"] == 0
    assert f"{found['deviating']} deviating" in report.claim
    assert "core-int in part (clip)" in report.claim


def test_many_entries_take_little_time() -> None:
    """Past bug: each was compared with each case."""
    (group,) = vectors.load("clip")[:1]
    status = np.full(len(group.cases), "fail", "U11")
    names = [*(str(k) for k in range(20_000)), "clip/random/11"]
    known = Deviations([Deviation("known-bug", "x", case=name) for name in names])
    started = time.process_time()
    for _ in range(30):
        assert (known.apply(group.cases, status) == "deviating").sum() == 1
    assert time.process_time() - started < 2


def test_what_is_not_named_still_fails(tmp_path: Path) -> None:
    report = run(written(tmp_path, flagged("clip/beyond_int32")))
    assert report.exit_code == EXIT_MISMATCH
    assert report.total()["deviating"] > 0


def test_a_single_case_can_be_named(tmp_path: Path) -> None:
    name = run(Deviations()).failures[0].case
    report = run(written(tmp_path, entry(case=name, kind="known-bug", reason="soon")))
    assert report.total()["deviating"] == 1


def test_what_is_out_of_scope_may_be_unsupported(tmp_path: Path) -> None:
    known = written(
        tmp_path, entry(flag="tie", kind="out-of-scope", reason="no requantization here")
    )
    report = verify(Cuts(), operations=["requantize"], generated=0, deviations=known)
    assert report.total(flag="tie")["deviating"] == report.total(flag="tie")["total"]


class Off(Adapter):
    """Clips, and is off by as much as it says at the lower end."""

    def __init__(self, off: int) -> None:
        self.off = off

    def clip(self, *, v: Any, low: Any, high: Any) -> Any:
        clipped = np.clip(v, low, high)
        return clipped + self.off * (clipped == low)

    def max_pool2d(self, *, x: Any, **windows: Any) -> Any:
        answer = EngineAdapter().max_pool2d(x=x, **windows)
        answer[0, 0, 0] -= self.off * (windows["stride"] != (1, 1))
        return answer


@pytest.mark.parametrize("operation", ["clip", "max_pool2d"])
@pytest.mark.parametrize(
    ("off", "most", "code"), [(1, 1, EXIT_PASS), (2, 1, EXIT_STALE), (2, 2.5, EXIT_PASS)]
)
def test_a_deviation_that_hides_more_than_it_names_is_stale(
    operation: str, off: int, most: float, code: int, tmp_path: Path
) -> None:
    """Spec: AQ-CONF-4."""
    wrong = verify(Off(off), operations=[operation], generated=0)
    flags = dict.fromkeys(flag for _, _, flag, status in wrong.counts if status == "fail")
    text = "".join(
        entry(flag=f"{operation}/{f}", kind="known-bug", reason="off by one", most=most)
        for f in flags
    )
    known = written(tmp_path, text)
    report = verify(Off(off), operations=[operation], generated=0, deviations=known)
    assert report.total()["fail"] == 0
    assert report.exit_code == code, report.text()
    if code == EXIT_STALE:
        assert f"hides a difference of {off} in {operation}/" in report.stale[0]
        assert report.stale[0].endswith(f"more than most = {most}")


def test_a_deviation_in_codes_hides_no_crash_and_no_other_shape(tmp_path: Path) -> None:
    class Raises(Adapter):
        def clip(self, **fields: Any) -> Any:
            raise ValueError("no")

        def max_pool2d(self, *, x: Any, **windows: Any) -> Any:
            return x[:1, :1]

    flags = {"clip": "clip:core-int/inside", "max_pool2d": "max_pool2d/random"}
    for operation, flag in flags.items():
        known = written(tmp_path, entry(flag=flag, kind="known-bug", reason="?", most=1000))
        report = verify(Raises(), operations=[operation], generated=0, deviations=known)
        assert "an answer without a value, or of another shape" in report.stale[0]


def test_what_is_unsupported_has_no_distance(tmp_path: Path) -> None:
    known = written(tmp_path, entry(flag="tie", kind="out-of-scope", reason="no", most=0))
    assert not verify(Off(0), operations=["round"], generated=0, deviations=known).stale


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (flagged("inside"), "all that it names pass now"),
        (flagged("clip/unheard_of"), "names nothing that was run"),
        (entry(case="clip/inside/999", kind="known-bug", reason="?"), "names nothing"),
    ],
)
def test_a_deviation_that_is_none_any_more_is_stale(text: str, words: str, tmp_path: Path) -> None:
    """Spec: AQ-CONF-4."""
    known = written(tmp_path, flagged(*ALL, "random") + text)
    report = run(known)
    assert report.exit_code == EXIT_STALE
    assert any(words in line for line in report.stale)
    assert words in report.text()
    assert report.claim == "claim: none"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (entry(flag="tie", kind="known-bug"), "deviation 1: gives no reason"),
        (entry(flag="tie", kind="known-bug", reason=" "), "gives no reason"),
        (
            entry(flag="tie", kind="a feature", reason="?"),
            "unknown kind 'a feature'; choose from known-bug, out",
        ),
        (entry(kind="known-bug", reason="?"), "needs either a case or a flag"),
        (entry(flag="a", case="b", kind="known-bug", reason="?"), "either a case or a flag"),
        (entry(flag="a", kind="known-bug", reason="?", until="2030"), "unknown key 'until'"),
        (entry(flag="", kind="known-bug", reason="?"), "needs either a case or a flag"),
        ("deviation = [1]", "deviation 1: is 1, not a table"),
        ("[[deviation]]\nkind = []", r"deviation 1: kind is \[\], not text"),
        ("[[deviation]]\nkind = {a = 1}", "kind is {'a': 1}, not text"),
        ("[[deviation]]\nflag = 1979-05-27", "flag is .*, not text"),
        ("[[deviation]]\ncase = nan", "case is nan, not text"),
        *(
            (f"[[deviation]]\nmost = {most}", "deviation 1: most is .*, not a number from 0")
            for most in ("true", "'1'", "-1", "nan", "inf", "[1]")
        ),
        ("[[deviation]]\nreason = true", "reason is True, not text"),
    ],
)
def test_an_entry_without_what_it_needs_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        written(tmp_path, text)


@pytest.mark.parametrize("text", ["[[deviation", 'flag = "tie"', "[deviation]", "deviation=1", ""])
def test_a_file_that_is_none_is_one_line(text: str, tmp_path: Path) -> None:
    if not text:
        assert written(tmp_path, text).entries == []
        return
    with pytest.raises(InputError, match=r"deviations.toml: "):
        written(tmp_path, text)
