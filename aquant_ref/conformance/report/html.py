"""Write a report as one self-contained HTML page: a matrix of operations and flags, failures."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from aquant_ref.conformance.report.verdict import (
    DEVIATING,
    ERROR,
    FAIL,
    MISSING,
    PASS,
    STATUSES,
    UNSUPPORTED,
)

if TYPE_CHECKING:
    from aquant_ref.conformance.report.report import Report

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 90em; padding: 0 1em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; } caption { text-align: left; padding: .5em 0; }
th, td { border: 1px solid #bbb; padding: .1em .3em; text-align: center; white-space: nowrap; }
th { font-weight: normal; background: #f3f3f3; } thead th { vertical-align: bottom; padding: .4em; }
thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
tbody th { position: sticky; left: 0; text-align: left; } td:nth-child(2) { text-align: right; }
td.pass { background: #dff3df; color: #265c26; } td.deviating { background: #fdf0c4; }
td.fail, td.error, td.missing { background: #f9d0d0; font-weight: bold; }
td.unsupported { background: #eee; color: #666; }
pre { background: #f6f6f6; padding: .5em; white-space: pre-wrap; overflow-wrap: anywhere; }
"""
WORST_FIRST = (FAIL, ERROR, MISSING, DEVIATING, PASS, UNSUPPORTED)
SIGNS = {PASS: "\u2713", UNSUPPORTED: "\u2013"}  # of others the number is shown


def document(report: Report) -> str:
    """Return the HTML document."""
    title = f"{report.implementation}: {report.about}"
    counted = report.total()
    added = " + ".join(f"{counted[s]} {s}" for s in STATUSES)
    body = [
        f"<h1>{escape(report.implementation)}</h1>",
        f"<p>{escape(report.about)}</p>",
        f"<p><strong>{escape(report.claim)}</strong></p>",
        f"<p>{added} = {counted['total']} cases</p>",
        '<div class="scroll">',
        *_matrix(report),
        "</div>",
        *_list("What broke the protocol", report.problems.first),
        *_list("Stale deviations", report.stale),
        *_failures(report),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _matrix(report: Report) -> Iterator[str]:
    flags = list(dict.fromkeys(flag for _, _, flag, _ in report.counts))
    head = "".join(f"<th><span>{escape(flag)}</span></th>" for flag in flags)
    yield (
        "<table><caption>Cases that do not pass, by operation and kind; "
        f"{SIGNS[PASS]} all pass, {SIGNS[UNSUPPORTED]} unsupported</caption>"
    )
    yield f"<thead><tr><th>operation</th><th>pass</th>{head}</tr></thead><tbody>"
    for name, profile in report.rows:
        counted = report.total(operation=name, profile=profile)
        cells = "".join(_cell(report.total(operation=name, profile=profile, flag=f)) for f in flags)
        yield (
            f"<tr><th>{escape(name)} <small>{escape(profile)}</small></th>"
            f"<td>{counted[PASS]}/{counted['total']}</td>{cells}</tr>"
        )
    yield "</tbody></table>"


def _cell(counted: dict[str, int]) -> str:
    if not counted["total"]:
        return "<td></td>"
    worst = next(status for status in WORST_FIRST if counted[status])
    summary = ", ".join(f"{counted[s]} {s}" for s in STATUSES if counted[s])
    wrong = counted["total"] - counted[PASS] - counted[UNSUPPORTED]
    return f'<td class="{worst}" title="{summary}">{SIGNS.get(worst, wrong)}</td>'


def _list(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"<h2>{title}</h2>"
        yield f"<pre>{escape(chr(10).join(lines))}</pre>"


def _failures(report: Report) -> Iterator[str]:
    if report.failures:
        yield "<h2>First failures of each operation</h2>"
    for name in dict.fromkeys(failure.operation for failure in report.failures):
        yield f"<h3>{escape(name)}</h3>"
        for failure in report.failures:
            if failure.operation == name:
                lines = "\n".join(line.strip() for line in report.lines(failure))
                yield f"<pre>{escape(lines)}</pre>"
        if report.unseen[name]:
            yield f"<p>{report.unseen[name]} more that are wrong</p>"
