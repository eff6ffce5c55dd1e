"""Bit for bit, in a table: every lowering of a network beside its simulation, over all test images.

A network is quantized for each number of bits and each form of border that a lowering needs, in few
iterations, since what is counted is differences and not accuracy. A finished row is written at once
and found again by the next call.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aquant_ref import data
from aquant_ref.engine.compare import compare
from aquant_ref.engine.lowerings import lowering_of
from aquant_ref.errors import InputError
from aquant_ref.formats import measured
from aquant_ref.inputs import Inputs
from aquant_ref.progress import Progress, Say, quiet, silent
from aquant_ref.ptq.methods import Config, quantize
from aquant_ref.quant.fixed_point import FixedPoint
from aquant_ref.versions import versions

Row = measured.Row

# The lowerings by name, each with the border that it is for and its options.
LOWERINGS: dict[str, tuple[str, FixedPoint | None]] = {
    "threshold": ("channel", None),
    "lut": ("row/window", None),
    "fixed_point": ("channel", FixedPoint()),
}
KEY: dict[str, Any] = {
    "model": str,
    "data": str,
    "weight_bits": int,
    "act_bits": int,
    "lowering": str,
    "border": str,
    "iterations": int,
    "seed": int,
    "images": int,
}
NEEDED: dict[str, Any] = {
    **KEY,
    "tested": int,
    "tensors": int,
    "elements": int,
    "mismatches": int,
    "top1": dict,
    "seconds": measured.NUMBER,
    "versions": dict,
}


def table(
    model: str,
    data_set: str,
    configs: Sequence[Config],
    lowerings: Sequence[str],
    *,
    images: int = 1024,
    weights: str | None = None,
    out: Path,
    progress: Progress = quiet,
    say: Say = silent,
) -> list[Row]:
    """The rows of `out`, a JSON file, with one for each of `configs` and of `lowerings`.

    `configs` are of method `aquant`, with one seed; the border is that of the lowering. The
    Markdown is written beside it. Raises InputError for any bad input, before any work where that
    can be known.
    """
    measured.check_output(out)
    for name in lowerings:
        if name not in LOWERINGS:
            raise InputError(f"--lowerings: no {name!r}; there are {', '.join(LOWERINGS)}")
    cells = [
        (replace(config, border=LOWERINGS[name][0]), name)
        for config in configs
        for name in lowerings
    ]
    for config, _ in cells:
        config.check_images(images)
    rows = measured.load(out, NEEDED)
    known = {_key(row) for row in rows}
    inputs = None
    for config, name in cells:
        row = _row(model, data_set, config, name, images)
        if _key(row) in known:
            continue
        if inputs is None:
            inputs = Inputs.load(
                model,
                data_set,
                images=images,
                seed=config.seed,
                weights=weights,
                progress=progress,
                say=say,
            )
        rows.append(row | _counted(inputs, config, LOWERINGS[name][1], progress))
        measured.save(out, rows, markdown)
    return rows


def _row(model: str, data_set: str, config: Config, lowering: str, images: int) -> Row:
    """What a row is of: its key."""
    return {
        "model": model,
        "data": data.name(data_set),
        "weight_bits": config.weight_bits,
        "act_bits": config.act_bits,
        "lowering": lowering,
        "border": str(config.form),
        "iterations": config.iterations,
        "seed": config.seed,
        "images": images,
    }


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEY)


def _counted(inputs: Inputs, config: Config, options: FixedPoint | None, progress: Progress) -> Row:
    started = time.monotonic()
    model = quantize(inputs.graph, inputs.parameters, inputs.calibration, config, progress=progress)
    program = lowering_of(model, options).program
    found = compare(model, program, inputs.test, progress=progress)
    return {
        "tested": found.images,
        "tensors": len(found.elements),
        "elements": sum(found.elements.values()),
        "mismatches": sum(found.mismatches.values()),
        "top1": found.top1,
        "seconds": round(time.monotonic() - started, 1),
        "versions": versions(),
    }


def markdown(rows: Sequence[Row]) -> str:
    """The table of `rows`."""
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
