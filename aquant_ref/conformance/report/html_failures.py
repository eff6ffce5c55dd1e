"""Write the failures of a report as HTML, grouped by cause and then by kind of case."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from aquant_ref.conformance.faults import FAULTS
from aquant_ref.conformance.report import rules
from aquant_ref.conformance.report.report import inputs_text

if TYPE_CHECKING:
    from aquant_ref.conformance.report.report import Failure, Report


def section(report: Report) -> Iterator[str]:
    """Yield the section."""
    yield '<h2 id="failures">Failures</h2>'
    if not report.failures:
        yield "<p>None.</p>"
    for (name, profile), failures in _grouped(report).items():
        yield f"<section data-group><h3>{escape(name)} <small>{escape(profile)}</small></h3>"
        for flags in dict.fromkeys(failure.flags for failure in failures):
            alike = [each for each in failures if each.flags == flags]
            likely = "; ".join(FAULTS[d] for d in max(map(report.likely, alike), key=len))
            yield f"<div data-group><h4>{kind_link(name, '+'.join(flags))}</h4>"
            yield f"<p>likely: {escape(likely)}</p>" if likely else ""
            yield from map(_failure, alike)
            yield "</div>"
        yield "</section>"
    for name, unseen in report.unseen.items():
        yield f"<p>{escape(name)}: {unseen} more that are wrong</p>"
    for name, inputs in report.smallest.items():
        yield f"<p>{escape(name)}: smallest: <code>{escape(inputs_text(inputs))}</code></p>"


def _grouped(report: Report) -> dict[tuple[str, str], list[Failure]]:
    groups: dict[tuple[str, str], list[Failure]] = {}
    for failure in report.failures:
        groups.setdefault((failure.operation, failure.profile), []).append(failure)
    return groups


def kind_link(name: str, flags: str) -> str:
    """Return the flags, joined by +, each with a link to its description."""
    return "+".join(f'<a href="#{name}-{flag}">{flag}</a>' for flag in flags.split("+"))


def _failure(failure: Failure) -> str:
    told = {
        "inputs": f"<code>{escape(inputs_text(failure.inputs))}</code>",
        "got": f"<code>{escape(failure.got)}</code>",
        "expected": f"<code>{escape(failure.expected)}</code>",
        "around": "<br>".join(f"<code>{escape(line)}</code>" for line in failure.window),
        "rule": rules.linked(failure.rules),
        "again": f"<code>{escape(failure.replay)}</code>",
    }
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in told.items() if text)
    return (
        f'<article class="failure" data-operation="{failure.operation}" '
        f'data-status="{failure.status}"><h4><code>{escape(failure.case)}</code> '
        f'<span class="status">{failure.status}</span></h4><dl>{listed}</dl></article>'
    )
