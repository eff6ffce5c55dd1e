"""Write a report as JUnit XML: one test case for each operation, variation and flag."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from aquant_ref.conformance.report.verdict import DEVIATING, ERROR, FAIL, MISSING, PASS, UNSUPPORTED

if TYPE_CHECKING:
    from aquant_ref.conformance.report.report import Report


def xml(report: Report) -> str:
    """Return the XML document.

    A test fails if a case of its flag does, and is skipped if none passed or failed. What belongs
    to no flag (the protocol, stale deviations) is a test of its own, as is all that was not
    declared.
    """
    suite = ET.Element("testsuite", name=f"aquant_ref.conformance: {report.implementation}")
    for name, profile, flag in report.flags:
        counted = report.total(operation=name, profile=profile, flag=flag)
        case = ET.SubElement(suite, "testcase", classname=f"{name}.{profile}", name=flag)
        failures = [f for f in report.failures if (f.operation, f.profile) == (name, profile)]
        shown = [line for f in failures if flag == "+".join(f.flags) for line in report.lines(f)]
        text = "\n".join([*report.diagnosis(name, profile), *shown])
        summary = ", ".join(f"{count} {status}" for status, count in counted.items() if count)
        if counted[FAIL] or counted[MISSING]:
            ET.SubElement(case, "failure", message=summary).text = text
        elif counted[ERROR]:
            ET.SubElement(case, "error", message=summary).text = text
        elif counted[UNSUPPORTED] + counted[DEVIATING] and not counted[PASS]:
            ET.SubElement(case, "skipped", message=summary)
    broken = report.problems.first or [f"{n} {kind}" for kind, n in report.broken.items()]
    nothing = list(filter(None, [report.nothing]))
    for name, lines in (
        ("protocol", broken),
        ("deviations", report.stale),
        ("verified", nothing),
    ):
        case = ET.SubElement(suite, "testcase", classname="run", name=name)
        if lines:
            ET.SubElement(case, "error", message=f"{len(lines)}").text = "\n".join(lines)
    if report.rest:
        case = ET.SubElement(suite, "testcase", classname="run", name="not declared")
        ET.SubElement(case, "skipped", message=report.rest)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite)))
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
