"""Quote rules of SPEC.md, which lies in the package, as HTML that needs no network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path

from aquant_ref.formats.text import read_text

SPEC = Path(__file__).parents[2] / "SPEC.md"
RULE = re.compile(r"^\*\*(AQ-[A-Z]+-\d+)\*\* (.*?)(?=\n\n\*\*AQ-|\n\n#|\Z)", re.M | re.S)
ID = re.compile(r"AQ-[A-Z]+-\d+")


@cache
def texts() -> dict[str, str]:
    """Return the Markdown of each rule by its id."""
    return dict(RULE.findall(read_text(SPEC)))


def linked(text: str) -> str:
    """Return the text as HTML, with a link to the quotation of each rule that it names."""
    known = texts()

    def link(found: re.Match[str]) -> str:
        rule = found[0]
        return f'<a href="#{rule}">{rule}</a>' if rule in known else rule

    return ID.sub(link, escape(text))


def quoted(cited: str) -> Iterator[str]:
    """Yield the definition of each rule that the text names, in the order of the specification."""
    named = set(ID.findall(cited))
    for rule, text in texts().items():
        if rule in named:
            body = "".join(map(_block, text.split("\n\n")))
            yield f'<dt id="{rule}">{rule}</dt><dd>{body}</dd>'


def _block(text: str) -> str:
    if text.startswith(("    ", "|")):  # a formula or a table
        return f'<pre tabindex="0">{escape(text)}</pre>'
    line = escape(re.sub(r"\n(?!\* )", " ", text).replace("**", ""))
    line = re.sub(r"^((?:\* )?)\*([^*]+)\*", r"\1<em>\2</em>", line, flags=re.M)
    line = re.sub("`([^`]+)`", r"<code>\1</code>", line)
    return f"<p>{line}</p>"
