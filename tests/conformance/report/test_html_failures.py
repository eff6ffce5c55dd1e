from __future__ import annotations

import re

from aquant_ref.conformance import Adapter, verify
from aquant_ref.conformance.diagnosis.explanation import Explanation
from aquant_ref.conformance.report.html_failures import section
from aquant_ref.conformance.report.report import Failure, Report


def test_failures_are_grouped_by_kind_below_what_explains_them(report: Report) -> None:
    text = "\n".join(section(report))
    kinds = re.findall(r'<h5><a href="#requantize-(\w+)">', text)
    assert kinds == list(dict.fromkeys(failure.flags[0] for failure in report.failures))
    assert text.count("<article") == len(report.failures)
    ties = text.partition("requantize-tie")[2].partition("<div data-group>")[0]
    assert "likely" not in ties
    assert "<p>explained by: half_even (" in text
    assert ties.count("<article") == 3
    assert f"requantize: {report.unseen['requantize']} more that are wrong" in text


def test_a_failure_has_inputs_both_values_its_rule_and_its_command(report: Report) -> None:
    failure, text = report.failures[0], "\n".join(section(report))
    (shown,) = re.findall(rf"<article.*{failure.case}</code> .*</article>", text)
    for words in (
        f"<dt>inputs</dt><dd><code>acc={failure.inputs['acc']} multiplier=",
        f"<dt>got</dt><dd><code>{failure.got}</code>",
        f"<dt>expected</dt><dd><code>{failure.expected}</code>",
        '<dt>rule</dt><dd><a href="#AQ-FIXED-2">AQ-FIXED-2</a>',
        f"<dt>again</dt><dd><code>aquant-ref verify --adapter mine:HalfEven --case {failure.case}<",
        'data-operation="requantize" data-status="fail"',
    ):
        assert words in shown


def test_nothing_fails() -> None:
    report = verify(Adapter(), operations=["clip"], generated=0)
    assert list(section(report)) == ['<h2 id="failures">Failures</h2>', "<p>None.</p>"]


def failure(operation: str, flag: str, *window: str) -> Failure:
    case = f"{operation}/{flag}/exact-1"
    said = ("1", "2", "AQ-INT-4", "again")
    return Failure(case, "fail", operation, "exact", (flag,), {}, *said, window)


def test_failures_with_one_cause_are_together_and_others_have_their_own() -> None:
    padded = Explanation("fault", "padding by <0>", "pads by code 0", ("AQ-INT-4",), 18, 18)
    parts = [
        Explanation("part", name, f"is {name}", ("AQ-FIXED-2",), count, 9)
        for name, count in (("one", 4), ("two", 5))
    ]
    variation = Explanation("variation", "tflite_away", "as TFLite", ("AQ-FIXED-4",), 99, 99)
    names = ("conv2d", "linear", "depthwise", "requantize", "clip", "round")
    report = Report(
        *("about", "mine"),
        failures=[failure(name, "tie") for name in names],
        diagnoses={
            ("conv2d", "exact"): [padded],
            ("linear", "exact"): [],
            ("depthwise", "exact"): [padded],
            ("requantize", "exact"): [variation],
            ("clip", "exact"): parts,
        },
    )
    text = "\n".join(section(report))
    sections = text.split("<section data-group><h3>")[1:]
    causes = {each.partition("</h3>")[0]: each for each in sections}
    assert {cause: re.findall(r"<h4>(\w+)", each) for cause, each in causes.items()} == {
        "padding by &lt;0&gt;": ["conv2d", "depthwise"],
        "No known fault explains these": ["linear"],
        "Answers of tflite_away": ["requantize"],
        "one; two": ["clip"],
        "Crashes, refusals and what is no answer": ["round"],
    }
    padding = causes["padding by &lt;0&gt;"]
    assert padding.count("pads by code 0") == 1
    assert '<a href="#AQ-INT-4">' in padding
    assert padding.count("explained by: padding by &lt;0&gt; (18 of 18)") == 2
    assert "your answers are those of tflite_away (99 of 99)" in causes["Answers of tflite_away"]
    assert "2 faults: one (4 of 9); two (5 of 9)" in causes["one; two"]


def test_a_tensor_is_shown_around_its_first_difference() -> None:
    shown = failure("conv2d", "random", "q[0, 0, 0:2]: got [3 <4>]", "expected [3 5]")
    text = "\n".join(section(Report("about", "mine", failures=[shown])))
    assert "q[0, 0, 0:2]: got [3 &lt;4&gt;]\nexpected [3 5]</pre>" in text
