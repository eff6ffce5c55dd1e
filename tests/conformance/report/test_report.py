from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from aquant_ref.conformance import Adapter, verify
from aquant_ref.conformance.report import html, junit
from aquant_ref.conformance.report.report import EXIT_MISMATCH, MOST_FAILURES, Report
from aquant_ref.conformance.report.verdict import STATUSES


class HalfEven(Adapter):
    """Requantizes with ties to even, and clips as it should; <b> is in its name."""

    name = "half <b> & even"

    def requantize(self, *, acc: Any, multiplier: Any, shift: Any, **rest: Any) -> Any:
        y = np.rint(np.ldexp((acc * multiplier).astype(np.longdouble), -shift)).astype(np.int64)
        return np.clip(y + rest["zero_point"], rest["qmin"], rest["qmax"])

    def clip(self, *, v: Any, low: Any, high: Any) -> Any:
        return np.clip(v, low, high)


@pytest.fixture(scope="module")
def report() -> Report:
    command = "aquant-ref verify --adapter mine:HalfEven"
    return verify(HalfEven(), operations=["requantize", "clip"], generated=300, command=command)


def test_the_counts_add_up(report: Report) -> None:
    found = report.total()
    assert sum(found[status] for status in STATUSES) == found["total"]
    rows = [report.total(operation=name, profile=profile) for name, profile in report.rows]
    assert sum(row["total"] for row in rows) == found["total"]
    assert f"= {found['total']} cases" in report.text()


def test_a_failure_says_all_that_is_needed(report: Report) -> None:
    failure = report.failures[0]
    text = "\n".join(report.lines(failure))
    for words in (
        "acc=",
        "qmax=",
        f"got {failure.got}, expected {failure.expected}",
        "rule AQ-FIXED-2",
        "likely: half_even, half_up and half_away confused",
        f"again: aquant-ref verify --adapter mine:HalfEven --case {failure.case}",
    ):
        assert words in text


def test_the_command_of_a_failure_shows_it_again(report: Report) -> None:
    for failure in report.failures:
        again = verify(HalfEven(), only=[failure.case], generated=300)
        assert again.total()["total"] == again.total()["fail"] == 1
        assert again.failures[0].inputs == failure.inputs


def test_at_most_20_failures_of_an_operation_are_shown(report: Report) -> None:
    shown = len(report.failures)
    assert shown <= MOST_FAILURES
    assert shown + report.unseen["requantize"] == report.total()["fail"]
    assert report.exit_code == EXIT_MISMATCH


def test_json_has_the_same_numbers(report: Report) -> None:
    plain = report.as_json()
    assert plain["total"] == report.total()
    assert sum(each["cases"] for each in plain["counts"]) == report.total()["total"]
    assert plain["exit_code"] == EXIT_MISMATCH
    assert plain["claim"] == "claim: none"
    assert "round.rule" in plain["failures"][0]["likely"]


def test_junit_has_a_test_for_each_flag_that_fails_where_a_case_does(report: Report) -> None:
    suite = ET.fromstring(junit.xml(report))
    failed = {case.get("name") for case in suite if case.find("failure") is not None}
    assert {"tie", "negative_tie"} <= failed
    assert int(suite.get("failures", 0)) == len(suite.findall("testcase/failure"))
    assert int(suite.get("tests", 0)) == len(suite)
    assert suite.find("testcase[@name='beyond_int32']/failure") is None


def test_the_page_is_whole_and_needs_nothing_from_elsewhere(report: Report) -> None:
    text = html.document(report)
    opened: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert not {"src", "href"} & {name for name, _ in attrs}
            if tag != "meta":
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Reader().feed(text)
    assert not opened
    assert "half &lt;b&gt; &amp; even" in text
    assert "<th><span>negative_tie</span></th>" in text
    cells = re.findall(r'<td class="fail" title="[^"]*">(\d+)</td>', text)
    assert sum(map(int, cells)) == report.total()["fail"] > 0
    assert report.failures[0].case in text
