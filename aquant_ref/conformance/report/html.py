"""Write a report as one HTML page: the run, a table for each operation, failures, rules.

The page needs no network and no script. A script in it adds a filter. Whatever an implementation
says is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from aquant_ref.conformance import contract
from aquant_ref.conformance.cases.sequence import families_of
from aquant_ref.conformance.faults import FAULTS
from aquant_ref.conformance.report import html_failures, rules
from aquant_ref.conformance.report.html_failures import kind_link
from aquant_ref.conformance.report.verdict import (
    DEVIATING,
    ERROR,
    FAIL,
    MISSING,
    PASS,
    STATUSES,
    UNSUPPORTED,
)
from aquant_ref.errors import counted as in_words
from aquant_ref.formats.text import read_text

if TYPE_CHECKING:
    from aquant_ref.conformance.report.report import Report

WRONG = (FAIL, ERROR, MISSING)
WORST_FIRST = (*WRONG, DEVIATING, PASS, UNSUPPORTED)
MOST_OPEN = 5  # wrong operations that are open at first; more would hide one another
SIGNS = {PASS: "\u2713", DEVIATING: "~", UNSUPPORTED: "\u2013"}  # of others, how many
SAID = {  # by exit code
    0: "All that was asked is right.",
    1: "Not all answers are right.",
    2: "The protocol is broken.",
    3: "A known deviation is stale.",
    4: "Nothing is verified.",
}
OF_RUN = ("date", "command", "seed", "machine")  # the rest are versions
LEGEND = (
    f"{SIGNS[PASS]} all pass; a fraction: so many are wrong; {SIGNS[DEVIATING]} known deviations; "
    f"{SIGNS[UNSUPPORTED]} not supported"
)


def document(report: Report) -> str:
    """Return the HTML document."""
    body = "\n".join((*_head(report), *_operations(report), *html_failures.section(report)))
    quoted = "".join(rules.quoted(body))
    here = Path(__file__)
    style, script = (read_text(here.with_name(name)) for name in ("page.css", "page.js"))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(f'{report.implementation}: {report.about}')}</title>"
        f"<style>\n{style}</style></head><body>\n<main>\n{body}\n"
        f'<h2 id="rules">Rules</h2>\n<dl class="rules">{quoted}</dl>\n</main>\n'
        f"<script>\n{script}</script></body></html>\n"
    )


def _head(report: Report) -> Iterator[str]:
    counted = report.total()
    added = " + ".join(f"{counted[s]} {s}" for s in STATUSES)
    verdict = "fail" if report.exit_code else "pass"
    yield f"<h1>{escape(report.implementation)}</h1>"
    yield f"<p>{escape(report.about)}</p>"
    yield f'<div class="verdict {verdict}"><p><strong>{SAID[report.exit_code]}</strong></p>'
    yield f"<p>{added} = {in_words(counted['total'], 'case')}</p>"
    yield f"<p>{escape(report.claim)}</p></div>"
    facts = {name: report.run[name] for name in OF_RUN if name in report.run}
    versions = [f"{name} {v}" for name, v in report.run.items() if name not in OF_RUN]
    facts |= {"versions": ", ".join(versions)} if versions else {}
    listed = "".join(f"<dt>{name}</dt><dd>{escape(v)}</dd>" for name, v in facts.items())
    yield f'<dl class="run">{listed}</dl>'
    broken = [f"{n} {kind}" for kind, n in report.broken.items()]
    yield (
        '<nav aria-label="Sections"><a href="#operations">Operations</a>'
        '<a href="#failures">Failures</a><a href="#rules">Rules</a></nav>'
    )
    yield from _list("Nothing is verified", list(filter(None, [report.nothing])))
    yield from _list("What may be a slip", report.hints)
    yield from _list("What broke the protocol", report.problems.first or broken)
    yield from _list("Known deviations", report.known)
    yield from _list("Stale deviations", report.stale)
    yield _filter(report)


def _filter(report: Report) -> str:
    names = dict.fromkeys(name for name, _, _ in report.flags)
    found = [status for status in STATUSES if report.total()[status]]
    return (
        '<form hidden aria-label="Filter"><label>Operation<select name="operation">'
        f"{_options(names)}</select></label>"
        f'<label>Status<select name="status">{_options(found)}</select></label>'
        '<label>Text<input name="text" type="search" placeholder="case, kind, fault"></label>'
        '<button type="reset">All</button><output aria-live="polite"></output></form>'
    )


def _options(words: Iterator[str] | list[str] | dict[str, None]) -> str:
    return '<option value="">all</option>' + "".join(f"<option>{word}</option>" for word in words)


def _operations(report: Report) -> Iterator[str]:
    yield '<h2 id="operations">Operations</h2>'
    yield f'<p class="quiet">{LEGEND}. Open an operation for its kinds of cases.</p>'
    names = list(dict.fromkeys(name for name, _, _ in report.flags))
    wrong = [n for n in names if any(report.total(operation=n)[status] for status in WRONG)]
    for name in names:
        yield from _operation(report, name, opened=name in wrong and len(wrong) <= MOST_OPEN)
    yield f'<p class="quiet">{escape(report.rest)}</p>' if report.rest else ""


def _operation(report: Report, name: str, *, opened: bool) -> Iterator[str]:
    counted = report.total(operation=name)
    counted[UNSUPPORTED] -= report.not_asked(name)
    statuses = [status for status in STATUSES if counted[status]]
    wrong = any(counted[status] for status in WRONG)
    summed = ", ".join(f"{counted[status]} {status}" for status in statuses)
    yield (
        f'<details id="{name}" data-operation="{name}" data-status="{" ".join(statuses)}"'
        f"{' open' * opened}><summary><b>{name}</b> "
        f"<span{' class=wrong' * wrong}>{summed}</span></summary>"
    )
    profiles = [profile for operation, profile in report.rows if operation == name]
    keys = [(profile, flag) for operation, profile, flag in report.flags if operation == name]
    asked, flags = (list(dict.fromkeys(each)) for each in zip(*keys, strict=True))
    yield from _matrix(report, name, asked, flags)
    if len(asked) < len(profiles):
        others = ", ".join(each for each in profiles if each not in asked)
        yield f'<p class="quiet">not declared: {escape(others)}</p>'
    yield from _kinds(name, asked, flags)
    yield "</details>"


def _matrix(report: Report, name: str, profiles: list[str], flags: list[str]) -> Iterator[str]:
    head = "".join(f'<th scope="col">{escape(profile)}</th>' for profile in profiles)
    caption = f"{name}: cases of each kind, by variation"
    yield (
        f'<div class="frame"><div class="scroll" role="region" tabindex="0" aria-label="{caption}">'
        f"<table><caption>{caption}</caption>"
        f'<thead><tr><th scope="col">kind</th>{head}</tr></thead><tbody>'
    )
    for flag in flags:
        cells = "".join(_cell(report, name, each, flag) for each in profiles)
        yield f'<tr><th scope="row">{kind_link(name, flag)}</th>{cells}</tr>'
    cited = (rules.linked(contract.rules(contract.get(name), each)) for each in profiles)
    cells = "".join(f'<td class="words">{each}</td>' for each in cited)
    yield f'<tr><th scope="row">rules</th>{cells}</tr></tbody></table></div></div>'


def _kinds(name: str, profiles: list[str], flags: list[str]) -> Iterator[str]:
    known = {f.flag: f for profile in profiles for f in families_of(name, profile)}
    yield '<dl class="kinds">'
    for flag in dict.fromkeys(each for joined in flags for each in joined.split("+")):
        if flag in known:
            caught = "; ".join(FAULTS[fault] for fault in known[flag].catches)
            yield f'<dt id="{name}-{flag}">{flag}</dt><dd>{escape(known[flag].description)}.'
            yield f"<small>Catches: {escape(caught)}.</small></dd>"
    yield "</dl>"


def _cell(report: Report, name: str, profile: str, flag: str) -> str:
    counted = report.total(operation=name, profile=profile, flag=flag)
    for status in ("total", UNSUPPORTED):
        counted[status] -= report.not_asked(name, profile, flag)
    if not counted["total"]:
        return '<td class="none"></td>'
    worst = next(status for status in WORST_FIRST if counted[status])
    summary = ", ".join(f"{counted[s]} {s}" for s in STATUSES if counted[s])
    wrong = sum(counted[status] for status in WRONG)
    shown = SIGNS.get(worst, f"{wrong}/{counted['total']}")
    return f'<td class="{worst}" title="{summary}">{shown}</td>'


def _list(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"<h2>{title}</h2>"
        yield f"<pre>{escape(chr(10).join(lines))}</pre>"
