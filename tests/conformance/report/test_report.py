from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree as ET

from aquant_ref.conformance import verify
from aquant_ref.conformance.report import junit
from aquant_ref.conformance.report.report import EXIT_MISMATCH, MOST_FAILURES, Report
from aquant_ref.conformance.report.verdict import STATUSES
from tests.conformance.report.conftest import HalfEven


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
    assert plain["failures"][0]["likely"] == []
    assert plain["diagnoses"][0]["explanations"][0]["defect"] == "round.rule"


def test_what_was_not_declared_is_one_line_and_no_row() -> None:
    """Past bug: a row of unsupported cases for each operation and variation."""
    report = verify(HalfEven(), generated=0)
    lines = report.text().splitlines()
    (line,) = (line for line in lines if line.startswith("not declared: "))
    assert "nothing of round, quantize," in line
    assert line.endswith("; not all of requantize, clip)")
    rows = [line for line in lines if " cases: " in line]
    assert [row.split()[:2] for row in rows] == [["requantize", "exact"], ["clip", "core-int"]]
    assert not any("unsupported" in row for row in rows)
    total = report.total()
    asked = total["total"] - report.not_asked()
    assert asked == total["pass"] + total["fail"]
    assert line.startswith(f"not declared: {total['total'] - asked} cases (")
    document = ET.fromstring(junit.xml(report).encode())
    (skipped,) = document.iter("skipped")
    assert skipped.get("message") == line
    assert len(document) < 30
    assert sum(each["cases"] for each in report.as_json()["not_declared"]) == report.not_asked()


def test_a_single_case_is_one_in_words() -> None:
    report = verify(HalfEven(), operations=["clip"], generated=1, only=["clip/inside/3"])
    assert "1 case: 1 pass" in report.text()
    assert "= 1 case\n" in report.text()
    assert "and 1 generated case of each" in report.about


def test_a_claim_names_what_concerns_the_operations_that_were_asked() -> None:
    """Past bug: rules of rounding, of a kernel that was asked to clip."""
    report = verify(HalfEven(), operations=["clip"], generated=0)
    scope = report.claim.partition(" part (clip); ")[2]
    assert scope == "120 of 144 pass, 24 unsupported"


def test_faults_are_named_by_vote_only_where_nothing_explains_all_answers(report: Report) -> None:
    failure = report.failures[0]
    assert report.likely(failure) == []
    unexplained = replace(report, diagnoses={(failure.operation, failure.profile): []})
    assert "round.rule" in unexplained.likely(failure)
    assert re.search(
        "likely: .*half_even, half_up and half_away confused", "".join(unexplained.lines(failure))
    )


def test_columns_are_aligned_whatever_their_names() -> None:
    """Past bug: names of more than 13 letters moved the numbers of their line."""
    rows = [("quantize", "float32_reciprocal"), ("bordered_conv2d", "engine"), ("add", "core-int")]
    counts = Counter({(*row, "tie", "pass"): 10**k for k, row in enumerate(rows)})
    lines = Report("about", "mine", counts=counts).text().splitlines()
    found = [re.search(r" cases?: ", line) for line in lines[2:]]
    starts = [each.start() for each in found if each is not None]
    assert len(starts) == 3
    assert len(set(starts)) == 1
