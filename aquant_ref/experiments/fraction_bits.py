"""Measure how close fixed point comes to the ideal semantics, by the number of its fraction bits.

A network is quantized once and run end to end with thresholds, which are the ideal semantics, and
in fixed point with each number of fraction bits (AQ-LOWER-10). Interrupted runs resume.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aquant_ref.checks import takes_functions
from aquant_ref.comparison.agreement import compare_with_ideal
from aquant_ref.errors import InputError
from aquant_ref.experiments.resumable import Cell, Workshop, complete
from aquant_ref.formats import measured
from aquant_ref.formats.kinds import NUMBER
from aquant_ref.lowering.lowerings import lowering_of
from aquant_ref.progress import Progress, Say, quiet, silent
from aquant_ref.versions import versions

if TYPE_CHECKING:
    from aquant_ref.experiments.experiment import Experiment
    from aquant_ref.experiments.inputs import Inputs
    from aquant_ref.model.quantized_model import QuantizedModel
    from aquant_ref.quant.fixed_point import FixedPoint

Row = measured.Row

NEEDED: dict[str, Any] = {
    "model": str,
    "data": str,
    "key": str,
    "method": str,
    "weight_bits": int,
    "act_bits": int,
    "border": str,
    "iterations": int,
    "seed": int,
    "images": int,
    "fraction_bits": int,
    "profile": str,
    "tested": int,
    "refused": (str, type(None)),
    "versions": measured.VERSIONS,
}
NEEDED_UNLESS_REFUSED: dict[str, Any] = {
    "codes_differ": NUMBER,
    "logits_equal": NUMBER,
    "top1": {"engine": NUMBER, "ideal": NUMBER},
}


@takes_functions
def agreement(
    inputs: Inputs, model: QuantizedModel, option: FixedPoint, *, progress: Progress = quiet
) -> Row:
    """Return the row of one option, plain JSON values, over all test images.

    If the model cannot be lowered so, "refused" says why, and there are no numbers.
    """
    row = _options(option)
    try:
        program = lowering_of(model, option).program
    except InputError as error:
        return {**row, "refused": str(error)}
    found = compare_with_ideal(model, program, inputs.test, progress=progress)
    logits = found.elements.pop(program.output)
    differ = found.mismatches.pop(program.output)
    return {
        **row,
        "refused": None,
        "codes_differ": sum(found.mismatches.values()) / sum(found.elements.values()),
        "tensors_differ": found.shares,
        "logits_equal": (logits - differ) / logits,
        "top1": found.top1,
    }


@takes_functions
def fraction_bits_table(
    experiments: Sequence[Experiment],
    out: Path | None = None,
    *,
    progress: Progress = quiet,
    say: Say = silent,
) -> list[Row]:
    """Return a row for each of `experiments`; `out`, a JSON file, keeps those that it has.

    Each has a `lowering`. `out` is written after each row, and the Markdown beside it. Raises
    InputError for any bad input, before any work where that can be known.
    """
    for each in experiments:
        if each.config.not_lowered() is not None:
            raise InputError(f"method {each.config.method!r}: {each.config.not_lowered()}")
    cells = [Cell(each, _options(_lowering(each))) for each in experiments]
    stored = measured.Table(out, load, markdown)
    return complete(stored, cells, _measured, progress=progress, say=say)


def _measured(workshop: Workshop, experiment: Experiment) -> Row:
    network, _ = workshop.quantized(experiment.config)
    inputs = workshop.inputs(experiment.seed)
    found = agreement(inputs, network, _lowering(experiment), progress=workshop.progress)
    return {**found, "tested": len(inputs.test), "versions": versions()}


def _lowering(experiment: Experiment) -> FixedPoint:
    if experiment.lowering is None:
        raise InputError("lowering: needs the options of fixed point, got None")
    return experiment.lowering


def load(path: Path) -> list[Row]:
    """Load the rows of the file, none if it is not there; raises InputError, which names it."""
    rows = measured.load(path, NEEDED)
    for row in rows:
        if not row["refused"]:
            measured.check(path, row, NEEDED_UNLESS_REFUSED)
    return rows


def _options(each: FixedPoint) -> Row:
    return {"fraction_bits": each.fraction_bits, "profile": each.profile}


@measured.by_origin
def markdown(rows: Sequence[Row]) -> str:
    """Format the table of `rows`, a section for each network."""
    first = rows[0]
    lines = [
        f"# {first['model']} on {first['data']} in fixed point",
        "",
        f"Against thresholds, which are the ideal semantics, end to end on {first['tested']} test "
        "images. *Codes* are those of all stored tensors.",
    ]
    for title in dict.fromkeys(map(_title, rows)):
        lines += [
            "",
            f"## {title}",
            "",
            "| fraction bits | profile | codes that differ in % | logits equal in % "
            "| top-1 in % | top-1 with thresholds |",
            "|---|---|---|---|---|---|",
            *(_line(row) for row in rows if _title(row) == title),
        ]
    return "\n".join([*lines, "", *measured.versions_lines(rows), ""])


def _title(row: Row) -> str:
    name = f"`{row['method']}`" + (f", {row['border']}" if row["border"] else "")
    return (
        f"W{row['weight_bits']}A{row['act_bits']}, {name}, {row['iterations']} iterations, "
        f"{row['images']} calibration images, seed {row['seed']}"
    )


def _line(row: Row) -> str:
    how = f"| {row['fraction_bits']} | `{row['profile']}` |"
    if row["refused"]:
        return f"{how} refused: {row['refused']} | | | |"
    cells = (
        f"{100 * row['codes_differ']:.4f}",
        f"{100 * row['logits_equal']:.2f}",
        f"{100 * row['top1']['engine']:.2f}",
        f"{100 * row['top1']['ideal']:.2f}",
    )
    return f"{how} {' | '.join(cells)} |"
