"""Bit for bit, in a table: every lowering of a network beside its simulation, over all test images.

A network is quantized for each number of bits and each form of border that a lowering needs, in few
iterations, since what is counted is differences and not accuracy. A finished row is written at once
and found again by the next call, and so is a network that is quantized.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aquant_ref.comparison.agreement import compare
from aquant_ref.errors import InputError, unknown
from aquant_ref.experiments.origin import Origin
from aquant_ref.experiments.workshop import Workshop
from aquant_ref.formats import measured
from aquant_ref.formats.kinds import NUMBER
from aquant_ref.lowering.lowerings import lowering_of
from aquant_ref.progress import Progress, Say, quiet, silent
from aquant_ref.ptq.methods import Config
from aquant_ref.quant.fixed_point import FixedPoint
from aquant_ref.versions import versions

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
    """A row for each of `configs` and of `lowerings`; those that `out`, a JSON file, has are kept.

    `configs` are of method `aquant`; the border is that of the lowering. The Markdown is written
    beside the file. Raises InputError for any bad input, before any work where that can be known.
    """
    for name in lowerings:
        if name not in LOWERINGS:
            raise InputError(unknown("lowering", name, LOWERINGS))
    stored = measured.Table(out, load, markdown)
    cells = [
        (replace(config, border=LOWERINGS[name][0]), name)
        for config in configs
        for name in lowerings
    ]
    for config, _ in cells:
        images = config.check_images(images)
    origin = Origin.find(model, data_set, weights)
    keys = [origin.key(config, images, lowering=name) for config, name in cells]
    known = stored.read()
    workshop = Workshop(origin, images, out, progress, say)
    for key, (config, name) in zip(keys, cells, strict=True):
        if key not in known:
            counted = _counted(workshop, config, LOWERINGS[name][1])
            known[key] = _row(origin, config, name, images) | counted
            stored.add([known[key]])
    stored.add([known[key] for key in keys])
    for config, _ in cells:
        workshop.remove(config)
    return [known[key] for key in keys]


def load(path: Path) -> list[Row]:
    """The rows of the file, none if it is not there; raises InputError, which names it."""
    return measured.load(path, NEEDED)


def _row(origin: Origin, config: Config, lowering: str, images: int) -> Row:
    """What a row is of."""
    return {
        "key": origin.key(config, images, lowering=lowering),
        **origin.row(),
        "weight_bits": config.weight_bits,
        "act_bits": config.act_bits,
        "lowering": lowering,
        "border": str(config.form),
        "iterations": config.iterations,
        "seed": config.seed,
        "images": images,
    }


def _counted(workshop: Workshop, config: Config, options: FixedPoint | None) -> Row:
    model, seconds = workshop.quantized(config)
    started = time.monotonic()
    program = lowering_of(model, options).program
    test = workshop.inputs(config.seed).test
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
