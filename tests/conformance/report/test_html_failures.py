from __future__ import annotations

import re

from aquant_ref.conformance import Adapter, verify
from aquant_ref.conformance.report.html_failures import section
from aquant_ref.conformance.report.report import Report


def test_failures_are_grouped_by_kind_with_what_is_likely(report: Report) -> None:
    text = "\n".join(section(report))
    kinds = re.findall(r'<h4><a href="#requantize-(\w+)">', text)
    assert kinds == list(dict.fromkeys(failure.flags[0] for failure in report.failures))
    assert text.count("<article") == len(report.failures)
    ties = text.partition("requantize-tie")[2].partition("<div data-group>")[0]
    assert ties.count("likely: half_even, half_up and half_away confused") == 1
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
