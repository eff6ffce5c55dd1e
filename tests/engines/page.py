"""Make the page of reports: every installed engine asked everything that its adapter declares.

A section names the vectors that it was made from; those that are current stay as they are.
"""

from __future__ import annotations

import hashlib
import re
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


def asked() -> str:
    """Name what is asked: the version of the vectors, and the hash of all of their files."""
    every = hashlib.sha256()
    for path in sorted(vectors.VECTORS.glob("*.json")):
        every.update(path.read_bytes())
    return f"vectors {vectors.VERSION} of sha256 `{every.hexdigest()[:12]}`"


def section(name: str) -> str:
    """Make the section of one engine."""
    report = run(name)
    lines = [
        f"## {name}",
        "",
        f"{report.implementation}; {asked()}; `aquant-ref verify --adapter {name} --n {GENERATED}`",
        "",
        f"| operation | variation | {' | '.join(COUNTED)} |",
        f"|---|---|{'---|' * len(COUNTED)}",
        *rows(report),
        "",
        *(f"* {line.replace('|', '/')}" for line in report.known),
    ]
    return "\n".join(lines).rstrip() + "\n"


def sections() -> dict[str, str]:
    """Return the sections that the page has, by engine."""
    parts = re.split(r"^(?=## )", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {part[3:].partition("\n")[0]: part.rstrip() + "\n" for part in parts}


def cpu() -> str:
    """The instructions of this CPU that numpy has found."""
    found: Any = np.show_config(mode="dicts")
    return " ".join(found.get("SIMD Extensions", {}).get("found", ())) or "unknown"


def page(made: dict[str, str]) -> str:
    """The whole page, of these sections."""
    head = f"""# Reports of engines

Made by `{COMMAND}`: the stored vectors and {GENERATED} generated cases of each (a tenth on
tensors), seed {SEED}; on a CPU with {cpu()}.

*Deviating* is known and explained below the table, with a minimal input in
[deviations](deviations); *unsupported* is what an engine cannot be given, such as a bias
beyond int32.
"""
    return "\n".join([head, *(made[name] for name in ENGINES if name in made)])
