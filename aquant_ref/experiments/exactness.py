"""Compare every lowering of a network with its simulation, bit for bit, over all test images.

A network is quantized for each number of bits and each form of border that a lowering needs. A few
iterations are enough, because the table counts differences and not accuracy. Interrupted runs
resume.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aquant_ref.checks import takes_functions
from aquant_ref.comparison.agreement import compare
from aquant_ref.errors import InputError, unknown
from aquant_ref.experiments.resumable import Cell, Workshop, complete
from aquant_ref.formats import measured
from aquant_ref.formats.kinds import NUMBER
from aquant_ref.lowering.lowerings import lowering_of
from aquant_ref.progress import Progress, Say, quiet, silent
from aquant_ref.quant.fixed_point import FixedPoint
from aquant_ref.versions import versions

if TYPE_CHECKING:
    from aquant_ref.experiments.experiment import Experiment

Row = measured.Row

# The lowerings by name, each with the border that it is for and its options.
LOWERINGS: dict[str, tuple[str, FixedPoint | None]] = {
    "threshold": ("channel", None),
    "lut": ("row/window", None),
    "fixed_point": ("channel", FixedPoint()),
}
NEEDED: dict[str, Any] = {
    "model": str,
    "data": str,
    "key": str,
    "weight_bits": int,
    "act_bits": int,
    "lowering": str,
    "border": str,
    "iterations": int,
    "seed": int,
    "images": int,
    "tested": int,
    "tensors": int,
    "elements": int,
    "mismatches": int,
    "top1": {"engine": NUMBER},
    "seconds": NUMBER,
    "versions": measured.VERSIONS,
}


@takes_functions
def exactness_table(
    experiments: Sequence[Experiment],
    lowerings: Sequence[str],
    out: Path,
    *,
    progress: Progress = quiet,
    say: Say = silent,
) -> list[Row]:
    """Return a row for each of `experiments` and of `lowerings`; `out` keeps those that it has.

    `experiments` are of method `aquant`; border and options are those of the lowering. `out` is a
    JSON file, with Markdown beside it. Raises InputError for any bad input, before any work where
    that can be known.
    """
    for name in lowerings:
        if name not in LOWERINGS:
            raise InputError(unknown("lowering", name, LOWERINGS))
    cells = []
    for each in experiments:
        for name in lowerings:
            border, options = LOWERINGS[name]
            config = replace(each.config, border=border)
            lowered = replace(each, config=config, lowering=options)
            cells.append(Cell(lowered, {"lowering": name}))
    stored = measured.Table(out, load, markdown)
    return complete(stored, cells, _counted, progress=progress, say=say)


def load(path: Path) -> list[Row]:
    """Load the rows of the file, none if it is not there; raises InputError, which names it."""
    return measured.load(path, NEEDED)


def _counted(workshop: Workshop, experiment: Experiment) -> Row:
    model, seconds = workshop.quantized(experiment.config)
    started = time.monotonic()
    program = lowering_of(model, experiment.lowering).program
    test = workshop.inputs(experiment.seed).test
    found = compare(model, program, test, progress=workshop.progress)
    return {
        "tested": found.images,
        "tensors": len(found.elements),
        "elements": sum(found.elements.values()),
        "mismatches": sum(found.mismatches.values()),
        "top1": found.top1,
        "seconds": round(seconds + time.monotonic() - started, 1),
        "versions": versions(),
    }


@measured.by_origin
def markdown(rows: Sequence[Row]) -> str:
    """Format the table of `rows`."""
    lines = [
        f"# {rows[0]['model']} on {rows[0]['data']}: engine against simulation",
        "",
        "Codes of every stored tensor and logits, of all test images. Top-1 in %; with so few "
        "iterations it is not what the method reaches.",
        "",
        "| bits | lowering | border | test images | tensors | codes and logits | that differ "
        "| top-1 | iterations | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            f"W{row['weight_bits']}A{row['act_bits']}",
            f"`{row['lowering']}`",
            row["border"],
            str(row["tested"]),
            str(row["tensors"]),
            f"{row['elements']:,}",
            str(row["mismatches"]),
            f"{100 * row['top1']['engine']:.2f}",
            str(row["iterations"]),
            f"{row['seconds']:.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *measured.versions_lines(rows), ""])
