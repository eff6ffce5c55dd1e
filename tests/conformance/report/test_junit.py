from __future__ import annotations

from xml.etree import ElementTree as ET

from aquant_ref.conformance.report import junit
from aquant_ref.conformance.report.report import Report


def test_junit_has_a_test_for_each_flag_that_fails_where_a_case_does(report: Report) -> None:
    suite = ET.fromstring(junit.xml(report))
    failed = {case.get("name") for case in suite if case.find("failure") is not None}
    assert {"tie", "negative_tie"} <= failed
    assert int(suite.get("failures", 0)) == len(suite.findall("testcase/failure"))
    assert int(suite.get("tests", 0)) == len(suite)
    assert suite.find("testcase[@name='beyond_int32']/failure") is None
