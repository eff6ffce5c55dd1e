"""A report as one HTML page that needs nothing else: a matrix of operations and flags, failures."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from aquant_ref.conformance.report import Report
from aquant_ref.conformance.verdict import (
    DEVIATING,
    ERROR,
    FAIL,
    MISSING,
    PASS,
    STATUSES,
    UNSUPPORTED,
)

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; }
table { border-collapse: collapse; } caption { text-align: left; padding: .5em 0; }
th, td { border: 1px solid #bbb; padding: .2em .5em; text-align: right; }
th { text-align: left; font-weight: normal; background: #f3f3f3; }
td.pass { background: #dff3df; } td.fail, td.error, td.missing { background: #f9d0d0; }
td.deviating { background: #fdf0c4; } td.unsupported { background: #eee; color: #666; }
.scroll { overflow-x: auto; } pre { background: #f6f6f6; padding: .5em; white-space: pre-wrap; }
"""
WORST_FIRST = (FAIL, ERROR, MISSING, DEVIATING, PASS, UNSUPPORTED)


def html(report: Report) -> str:
    """The document."""
    title = f"{report.implementation}: {report.about}"
    found = report.total()
    added = " + ".join(f"{found[s]} {s}" for s in STATUSES)
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p><strong>{escape(report.claim)}</strong></p>",
        f"<p>{added} = {found['total']} cases</p>",
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
    head = "".join(f"<th>{escape(flag)}</th>" for flag in flags)
    yield "<table><caption>Cases that pass, of all, by operation and flag</caption>"
    yield f"<thead><tr><th>operation</th><th>profile</th>{head}</tr></thead><tbody>"
    for name, profile in report.rows:
        cells = "".join(_cell(report.total(operation=name, profile=profile, flag=f)) for f in flags)
        yield f"<tr><th>{escape(name)}</th><th>{escape(profile)}</th>{cells}</tr>"
    yield "</tbody></table>"


def _cell(found: dict[str, int]) -> str:
    if not found["total"]:
        return "<td></td>"
    worst = next(status for status in WORST_FIRST if found[status])
    counted = ", ".join(f"{found[s]} {s}" for s in STATUSES if found[s])
    return f'<td class="{worst}" title="{counted}">{found[PASS]}/{found["total"]}</td>'


def _list(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"<h2>{title}</h2>"
        yield f"<pre>{escape(chr(10).join(lines))}</pre>"


def _failures(report: Report) -> Iterator[str]:
    if report.failures:
        yield "<h2>First failures of each operation</h2>"
    for failure in report.failures:
        yield f"<pre>{escape(chr(10).join(line.strip() for line in report.lines(failure)))}</pre>"
    for name, count in report.unseen.items():
        yield f"<p>{escape(name)}: {count} more that are wrong</p>"
