from __future__ import annotations

import re
from html.parser import HTMLParser

from aquant_ref.conformance.report import html
from aquant_ref.conformance.report.report import Report


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
