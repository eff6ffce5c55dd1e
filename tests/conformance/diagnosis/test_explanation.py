"""What explains wrong answers, as text, JSON and JUnit."""

from __future__ import annotations

from dataclasses import replace

from aquant_ref.conformance.diagnosis.explanation import UNEXPLAINED, Explanation, lines
from aquant_ref.conformance.report import junit
from aquant_ref.conformance.report.report import Report

AWAY = Explanation("variation", "tflite_away", "", ("AQ-FIXED-4",), 99, 99)
PADDED = Explanation(
    "fault", "padded with 0", "", ("AQ-INT-4",), 18, 18, defect="zero_point.padding"
)


def test_a_variation_is_whose_the_answers_are_and_a_fault_explains_them() -> None:
    assert lines([AWAY]) == ["your answers are those of tflite_away (99 of 99)"]
    assert lines([PADDED]) == ["explained by: padded with 0 (18 of 18)"]


def test_what_the_evidence_cannot_tell_apart_is_named_up_to_five() -> None:
    others = [replace(PADDED, name=f"fault {k}") for k in range(5)]
    (line,) = lines([PADDED, *others[:1]])
    assert line == "explained by: padded with 0 (18 of 18); the same answers: fault 0"
    assert lines([PADDED, *others])[0].endswith("fault 0, fault 1, fault 2, fault 3, ...")


def test_a_variation_and_a_fault_of_one_name_are_named_once() -> None:
    found = [Explanation(kind, "tflite_up", "s", (), 9, 9) for kind in ("variation", "fault")]
    assert lines(found) == ["your answers are those of tflite_up (9 of 9)"]


def test_parts_are_counted_and_nothing_is_said_to_be_nothing() -> None:
    parts = [replace(PADDED, kind="part", explained=12), replace(AWAY, kind="part", asked=18)]
    (line,) = lines(parts)
    assert line == "2 faults: padded with 0 (12 of 18); tflite_away (99 of 18)"
    assert lines([]) == [UNEXPLAINED]


def test_every_report_shows_the_explanations() -> None:
    """Spec: AQ-CONF-8."""
    report = Report("about", "mine")
    report.counts["conv2d", "exact", "image_edge", "fail"] = 18
    report.diagnoses["conv2d", "exact"] = [PADDED]
    said = "explained by: padded with 0 (18 of 18)"
    assert f"\n  {said}\n" in report.text()
    (plain,) = report.as_json()["diagnoses"]
    assert (plain["operation"], plain["profile"]) == ("conv2d", "exact")
    assert plain["explanations"][0]["defect"] == "zero_point.padding"
    assert said in junit.xml(report)
