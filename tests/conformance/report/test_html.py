from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import Adapter, verify
from aquant_ref.conformance.contract import OPERATIONS
from aquant_ref.conformance.protocol.replies import Problems
from aquant_ref.conformance.report import html
from aquant_ref.conformance.report.report import Failure, Report


class Right(Adapter):
    """Clips."""

    def clip(self, *, v: Any, low: Any, high: Any) -> Any:
        return np.clip(v, low, high)


STYLE = Path(html.__file__).with_name("page.css").read_text(encoding="utf-8")
Attributes = dict[str, str | None]


class Page(HTMLParser):
    """The elements of a page, with their attributes; checks that each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[Attributes]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text(report: Report) -> str:
    return html.document(report)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_is_whole_and_needs_nothing_from_elsewhere(page: Page, text: str) -> None:
    assert not [name for _, attributes in page.elements for name in attributes if name == "src"]
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    ids = Counter(str(a["id"]) for _, a in page.elements if "id" in a)
    assert max(ids.values()) == 1
    targets = {str(attributes["href"]) for attributes in page.all("a")}
    assert targets <= {f"#{each}" for each in ids}
    assert {"#AQ-FIXED-2", "#requantize-negative_tie", "#failures"} <= targets
    assert "http" not in text


def test_a_name_is_escaped(text: str) -> None:
    assert "half &lt;b&gt; &amp; even" in text
    assert "<b> &" not in text


def test_whatever_an_implementation_says_is_escaped() -> None:
    hostile = "</dd></script><script src=x>alert('1')</script>\" onload=\"x"
    failure = Failure(
        *(hostile, "error", "clip", "core-int", ("inside",)),
        *({"v": hostile}, hostile, hostile, "AQ-INT-1", hostile),
    )
    problems = Problems()
    problems.add(hostile, hostile)
    report = Report(
        *(hostile, hostile),
        run={"command": hostile, hostile: hostile},
        failures=[failure],
        problems=problems,
        stale=[hostile],
        smallest={"clip": {"v": hostile}},
    )
    report.counts["clip", "core-int", "inside", "error"] = 1
    text = html.document(report)
    assert text.count("<script") == text.count("</script") == 1
    assert text.count("&lt;script src=x&gt;") > 9
    assert 'onload="' not in text
    Page(text)


def test_the_cells_have_the_counts(text: str, report: Report) -> None:
    cells = re.findall(r'<td class="fail" title="[^"]*">(\d+)/\d+</td>', text)
    assert sum(map(int, cells)) == report.total()["fail"] > 0
    assert report.failures[0].case in text


def test_the_page_says_first_what_the_run_found(text: str, report: Report) -> None:
    assert 'class="verdict fail"><p><strong>Not all answers are right.</strong>' in text
    assert f"{report.claim}</p></div>" in text
    right = verify(Right(), operations=["clip"], generated=0)
    assert '"verdict pass"><p><strong>All that was asked is right.<' in html.document(right)


def test_the_page_says_when_and_how_it_was_made(text: str, report: Report) -> None:
    command = "aquant-ref verify --adapter mine:HalfEven requantize clip"
    assert f"<dt>command</dt><dd>{command}</dd>" in text
    assert f"<dt>date</dt><dd>{report.run['date']}</dd><dt>" in text
    assert "<dt>seed</dt><dd>1</dd>" in text
    assert f"numpy {report.run['numpy']}" in text


def test_kinds_and_rules_are_explained(text: str) -> None:
    assert "k + 1/2 exactly, above zero, with an odd zero point." in text
    assert "Catches: half_even, half_up and half_away confused" in text
    assert "y = half_up(acc*m/2^shift)." in text
    assert "AQ-PEER-2" not in text  # nothing that was run follows it


@pytest.mark.parametrize(("wrong", "opened"), [(2, 2), (5, 5), (6, 0), (20, 0)])
def test_wrong_operations_are_open_unless_there_are_many(wrong: int, opened: int) -> None:
    names = list(OPERATIONS)[: wrong + 1]
    counts = Counter({(n, OPERATIONS[n].profile, "tie", "fail"): 1 for n in names[:-1]})
    counts[names[-1], OPERATIONS[names[-1]].profile, "tie", "pass"] = 1
    text = html.document(Report("about", "mine", counts=counts))
    assert text.count("<details ") == wrong + 1
    assert text.count(" open>") == opened


def test_a_run_in_which_nothing_passes_says_so_first() -> None:
    counts = Counter({("clip", "core-int", "inside", "unsupported"): 3})
    text = html.document(Report("about", "mine", counts=counts, hints=["clipp is no operation"]))
    assert "<strong>Nothing is verified.</strong>" in text
    assert "nothing is verified: of 3 cases, 3 unsupported" in text
    assert "clipp is no operation" in text


def test_variations_that_were_not_asked_are_one_line_and_no_column(text: str) -> None:
    assert text.count("float64_onnx") == 1


def test_failures_are_grouped_by_kind_and_can_be_filtered(page: Page, report: Report) -> None:
    shown = [a for a in page.all("article") if a["class"] == "failure"]
    assert len(shown) == len(report.failures)
    assert {a["data-status"] for a in shown} == {"fail"}
    assert {a["data-operation"] for a in shown} == {"requantize"}
    assert len(page.all("h5")) == len({failure.flags for failure in report.failures})
    assert {a["data-operation"] for a in page.all("details")} == {"requantize", "clip"}
    (form,) = page.all("form")
    assert "hidden" in form  # until the script shows it


def test_the_page_can_be_read_by_a_machine_that_speaks(page: Page) -> None:
    assert page.all("html") == [{"lang": "en"}]
    assert {a.get("scope") for a in page.all("th")} == {"col", "row"}
    assert len(page.all("caption")) == len(page.all("table"))
    assert len(page.all("label")) == len(page.all("input")) + len(page.all("select"))
    scrolling = [a for a in page.all("div") if a.get("class") == "scroll"]
    assert {(a["role"], a["tabindex"]) for a in scrolling} == {("region", "0")}
    assert all(a["aria-label"] for a in scrolling)


def luminance(colour: str) -> float:
    """That of WCAG 2.2, of #rgb or #rrggbb."""
    digits = colour * 2 if len(colour) == 3 else colour
    pairs = [digits[k::3] for k in range(3)] if len(colour) == 3 else re.findall("..", digits)
    parts = [int(pair, 16) / 255 for pair in pairs]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(scheme: str) -> None:
    """WCAG 2.2, level AA: a ratio of at least 4.5."""
    light, dark = (
        dict(re.findall(r"--([\w-]+): #(\w+)", part))
        for part in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    )
    assert light.keys() == dark.keys()
    colours = light if scheme == "light" else dark
    pairs = [(text, ground) for text in ("text", "quiet", "link") for ground in ("page", "soft")]
    pairs += [(kind, f"{kind}-soft") for kind in ("good", "bad", "known")]
    pairs += [("bad", "page"), ("text", "good-soft"), ("text", "bad-soft")]
    for pair in pairs:
        low, high = sorted(luminance(colours[name]) for name in pair)
        assert (high + 0.05) / (low + 0.05) >= 4.5, pair
