"""Write the failures of a report as HTML, grouped by cause and then by kind of case."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from aquant_ref.conformance.diagnosis.explanation import MOST_NAMED, UNEXPLAINED, explains
from aquant_ref.conformance.faults import FAULTS
from aquant_ref.conformance.report import rules
from aquant_ref.conformance.report.report import inputs_text

if TYPE_CHECKING:
    from aquant_ref.conformance.diagnosis.explanation import Explanation
    from aquant_ref.conformance.report.report import Failure, Report


def section(report: Report) -> Iterator[str]:
    """Yield the section: causes, the operations that each explains, and their kinds of cases."""
    yield '<h2 id="failures">Failures</h2>'
    if not report.failures:
        yield "<p>None.</p>"
    rows = dict.fromkeys((each.operation, each.profile) for each in report.failures)
    causes: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        causes.setdefault(_cause(report.diagnoses.get(row)), []).append(row)
    for cause, alike in causes.items():
        yield f"<section data-group><h3>{cause}</h3>"
        yield from _explained(report.diagnoses.get(alike[0], []))
        for row in alike:
            yield from _row(report, *row)
        yield "</section>"
    for name, unseen in report.unseen.items():
        yield f"<p>{escape(name)}: {unseen} more that are wrong</p>"
    for name, inputs in report.smallest.items():
        yield f"<p>{escape(name)}: smallest: <code>{escape(inputs_text(inputs))}</code></p>"


def _cause(found: list[Explanation] | None) -> str:
    """Name what explains the wrong answers of an operation, as HTML; failures alike have one."""
    if found is None:  # there is no wrong value
        return "Crashes, refusals and what is no answer"
    if not explains(found):
        said = found[0].name if found else UNEXPLAINED
        return said[0].upper() + said[1:]
    parts = found if found[0].kind == "part" else found[:1]
    names = "; ".join(escape(each.name) for each in parts)
    return f"Answers of {names}" if found[0].kind == "variation" else names


def _explained(found: list[Explanation]) -> Iterator[str]:
    for each in found[:MOST_NAMED]:
        named = rules.linked(", ".join(each.rules))
        yield f"<p>{escape(each.name)}: {escape(each.sentence)} <small>{named}</small></p>"


def _row(report: Report, name: str, profile: str) -> Iterator[str]:
    yield f"<div data-group><h4>{escape(name)} <small>{escape(profile)}</small></h4>"
    yield from (f"<p>{escape(line)}</p>" for line in report.diagnosis(name, profile))
    failures = [f for f in report.failures if (f.operation, f.profile) == (name, profile)]
    for flags in dict.fromkeys(failure.flags for failure in failures):
        alike = [each for each in failures if each.flags == flags]
        likely = "; ".join(FAULTS[d] for d in max(map(report.likely, alike), key=len))
        yield f"<div data-group><h5>{kind_link(name, '+'.join(flags))}</h5>"
        yield f"<p>likely: {escape(likely)}</p>" if likely else ""
        yield from map(_failure, alike)
        yield "</div>"
    yield "</div>"


def kind_link(name: str, flags: str) -> str:
    """Return the flags, joined by +, each with a link to its description."""
    return "+".join(f'<a href="#{name}-{flag}">{flag}</a>' for flag in flags.split("+"))


def _failure(failure: Failure) -> str:
    around = escape("\n".join(failure.window))
    told = {
        "inputs": f"<code>{escape(inputs_text(failure.inputs))}</code>",
        "got": f"<code>{escape(failure.got)}</code>",
        "expected": f"<code>{escape(failure.expected)}</code>",
        "around": f'<pre tabindex="0">{around}</pre>' if around else "",
        "rule": rules.linked(failure.rules),
        "again": f"<code>{escape(failure.replay)}</code>",
    }
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in told.items() if text)
    return (
        f'<article class="failure" data-operation="{failure.operation}" '
        f'data-status="{failure.status}"><h6><code>{escape(failure.case)}</code> '
        f'<span class="status">{failure.status}</span></h6><dl>{listed}</dl></article>'
    )
