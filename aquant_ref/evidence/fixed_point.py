"""How close fixed point comes to the ideal semantics, by the number of its fraction bits.

A network is quantized once and run end to end with thresholds, which are the ideal semantics, and
in fixed point with each number of fraction bits (AQ-LOWER-10). What is finished is found again by
the next call.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aquant_ref import data
from aquant_ref.engine.compare import compare_with_ideal
from aquant_ref.engine.lowerings import lowering_of
from aquant_ref.errors import InputError
from aquant_ref.formats import measured
from aquant_ref.inputs import Inputs
from aquant_ref.nn.quantized import QuantizedGraph
from aquant_ref.progress import Progress, Say, quiet, silent
from aquant_ref.ptq.methods import Config, quantize
from aquant_ref.quant.fixed_point import FixedPoint
from aquant_ref.versions import versions

Row = measured.Row

KEY: dict[str, Any] = {
    "model": str,
    "data": str,
    "method": str,
    "weight_bits": int,
    "act_bits": int,
    "border": str,
    "iterations": int,
    "seed": int,
    "images": int,
    "fraction_bits": int,
    "profile": str,
}
NEEDED: dict[str, Any] = {**KEY, "tested": int, "refused": (str, type(None)), "versions": dict}


def agreements(
    inputs: Inputs,
    model: QuantizedGraph,
    options: Sequence[FixedPoint],
    *,
    progress: Progress = quiet,
) -> list[Row]:
    """A row for each of `options`, plain JSON values, over all test images.

    A row of what cannot be lowered has, instead of numbers, why under "refused".
    """
    rows = []
    for each in options:
        row = _option(each)
        try:
            program = lowering_of(model, each).program
        except InputError as error:
            rows.append({**row, "refused": str(error)})
            continue
        found = compare_with_ideal(model, program, inputs.test, progress=progress)
        logits = found.elements.pop(program.output)
        differ = found.mismatches.pop(program.output)
        row |= {
            "refused": None,
            "codes_differ": sum(found.mismatches.values()) / sum(found.elements.values()),
            "tensors_differ": found.shares,
            "logits_equal": (logits - differ) / logits,
            "top1": found.top1,
        }
        rows.append(row)
    return rows


def table(
    model: str,
    data_set: str,
    configs: Sequence[Config],
    options: Sequence[FixedPoint],
    *,
    images: int = 1024,
    weights: str | None = None,
    out: Path | None = None,
    progress: Progress = quiet,
    say: Say = silent,
) -> list[Row]:
    """A row for each of `configs` and of `options`, and with `out` those that the file has already.

    `configs` have one seed. `out`, a JSON file, is written after each configuration, and the
    Markdown beside it. Raises InputError for any bad input, before any work where that can be
    known.
    """
    for config in configs:
        config.check_images(images)
        if config.not_lowered() is not None:
            raise InputError(f"method {config.method!r}: {config.not_lowered()}")
    rows: list[Row] = []
    if out is not None:
        measured.check_output(out)
        rows = measured.load(out, NEEDED)
    known = {_key(row) for row in rows}
    inputs = None
    for config in configs:
        of = _run(model, data_set, config, images)
        missing = [each for each in options if _key(of | _option(each)) not in known]
        if not missing:
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
        quantized = quantize(
            inputs.graph, inputs.parameters, inputs.calibration, config, progress=progress
        )
        more: Row = {"tested": len(inputs.test), "versions": versions()}
        found = agreements(inputs, quantized, missing, progress=progress)
        rows += [of | row | more for row in found]
        if out is not None:
            measured.save(out, rows, markdown)
    return rows


def _run(model: str, data_set: str, config: Config, images: int) -> Row:
    """What a section of the table is of."""
    return {
        "model": model,
        "data": data.name(data_set),
        "method": config.method,
        "weight_bits": config.weight_bits,
        "act_bits": config.act_bits,
        "border": str(config.form) if config.has_border else "",
        "iterations": config.iterations,
        "seed": config.seed,
        "images": images,
    }


def _option(each: FixedPoint) -> Row:
    return {"fraction_bits": each.fraction_bits, "profile": each.profile}


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEY)


def markdown(rows: Sequence[Row]) -> str:
    """The table of `rows`, a section for each network."""
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
