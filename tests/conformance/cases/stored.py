"""The stored cases that came with sizes, for the tests of their families."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

from aquant_ref.conformance.vectors import load

Stored = dict[str, list[dict[str, Any]]]
EDITION = 2


@cache
def stored(operation: str, profile: str = "") -> Stored:
    """Their fields, first result (`right`) and bits, by flag."""
    found = defaultdict(list)
    for group in load(operation):
        if group.selection.edition == EDITION and profile in ("", group.selection.profile):
            cases = group.cases
            for k in range(len(cases)):
                case = {name: column[k] for name, column in cases.columns.items()}
                of_case = {"right": group.expected.low[0][k], "bits": group.selection.bits}
                found[cases.flags[cases.kind[k]][0]].append({**case, **of_case})
    return found
