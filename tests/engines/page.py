"""Make the page of reports: every installed engine asked everything that its adapter declares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aquant_ref.conformance import contract, vectors, verify
from aquant_ref.conformance.adapters.engines.names import ENGINES, known
from aquant_ref.conformance.report.report import Report

PAGE = Path(contract.__file__).parent / "adapters" / "engines" / "REPORTS.md"
GENERATED, SEED = 300, 1
COMMAND = "python -m tests.engines"
COUNTED = ("pass", "fail", "error", "deviating", "unsupported")


def run(name: str, operations: list[str] | None = None) -> Report:
    """Ask an engine for all of its operations, or for these."""
    adapter = ENGINES[name].make(name)
    adapter.start()
    chosen = operations or [each for each in contract.OPERATIONS if adapter.supports(each)]
    return verify(
        adapter, operations=chosen, generated=GENERATED, seed=SEED, deviations=known(name)
    )


def rows(report: Report) -> Iterator[str]:
    """A row of the table for each operation and variation that was asked."""
    for name, profile in report.rows:
        counts: dict[str, Any] = report.total(operation=name, profile=profile)
        counts["unsupported"] -= report.not_asked(name, profile)
        if any(counts[status] for status in COUNTED):
            numbers = " | ".join(str(counts[status]) for status in COUNTED)
            yield f"| `{name}` | `{profile}` | {numbers} |"


def section(name: str) -> list[str]:
    """The section of one engine."""
    report = run(name)
    deviations = [f"* {line.replace('|', '/')}" for line in report.known]
    return [
        f"## {name}",
        "",
        f"{report.implementation}",
        "",
        f"| operation | variation | {' | '.join(COUNTED)} |",
        f"|---|---|{'---|' * len(COUNTED)}",
        *rows(report),
        "",
        *deviations,
        *[""] * bool(deviations),
    ]


def cpu() -> str:
    """The instructions of this CPU that numpy has found."""
    found: Any = np.show_config(mode="dicts")
    return " ".join(found.get("SIMD Extensions", {}).get("found", ())) or "unknown"


def page() -> str:
    """The whole page."""
    lines = [
        "# Reports of engines",
        "",
        f"Made by `{COMMAND}`: vectors {vectors.VERSION} and {GENERATED} generated cases of each",
        f"(a tenth on tensors), seed {SEED}; on a CPU with {cpu()}.",
        "",
        "*Deviating* is known and explained below the table, with a minimal input in",
        "[deviations](deviations); *unsupported* is what an engine cannot be given, such as a bias",
        "beyond int32.",
        "",
        *(line for name in ENGINES for line in section(name)),
    ]
    return "\n".join(lines).rstrip() + "\n"
