"""A report as JUnit XML: a test case for each operation, variation and flag."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from aquant_ref.conformance.report.report import Report
from aquant_ref.conformance.report.verdict import DEVIATING, ERROR, FAIL, MISSING, PASS, UNSUPPORTED


def xml(report: Report) -> str:
    """The document.

    A test fails where a case of its flag does, and is skipped where none passed or failed; what is
    not tied to a flag (the protocol, stale deviations) is a test of its own.
    """
    suite = ET.Element("testsuite", name=f"aquant_ref.conformance: {report.implementation}")
    flags = list(dict.fromkeys(key[:3] for key in report.counts))
    for name, profile, flag in flags:
        found = report.total(operation=name, profile=profile, flag=flag)
        case = ET.SubElement(suite, "testcase", classname=f"{name}.{profile}", name=flag)
        wrong = [f for f in report.failures if (f.operation, f.profile) == (name, profile)]
        text = "\n".join(
            line for f in wrong if flag == "+".join(f.flags) for line in report.lines(f)
        )
        counted = ", ".join(f"{count} {status}" for status, count in found.items() if count)
        if found[FAIL] or found[MISSING]:
            ET.SubElement(case, "failure", message=counted).text = text
        elif found[ERROR]:
            ET.SubElement(case, "error", message=counted).text = text
        elif found[UNSUPPORTED] + found[DEVIATING] and not found[PASS]:
            ET.SubElement(case, "skipped", message=counted)
    for name, lines in (("protocol", report.problems.first), ("deviations", report.stale)):
        case = ET.SubElement(suite, "testcase", classname="run", name=name)
        if lines:
            ET.SubElement(case, "error", message=f"{len(lines)}").text = "\n".join(lines)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite)))
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
