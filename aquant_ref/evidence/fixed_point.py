"""How close fixed point comes to the ideal semantics, by the number of its fraction bits.

A network is quantized once and run end to end with thresholds, which are the ideal semantics, and
in fixed point with each number of fraction bits (AQ-LOWER-10).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aquant_ref import data
from aquant_ref.engine.compare import compare_with_ideal
from aquant_ref.engine.lowerings import lowering_of
from aquant_ref.errors import InputError
from aquant_ref.formats.atomic import check_writable_file, write_json_atomic, write_text_atomic
from aquant_ref.inputs import Inputs
from aquant_ref.nn.quantized import QuantizedGraph
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.methods import Config, quantize
from aquant_ref.quant.fixed_point import FixedPoint
from aquant_ref.versions import versions

Row = dict[str, Any]


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
        row: Row = {"fraction_bits": each.fraction_bits, "profile": each.profile}
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
) -> str:
    """The table for a reference model quantized as each of `configs` says, as Markdown.

    `configs` have one seed. With `out`, a JSON file, both are written after each configuration, the
    Markdown beside it. Raises InputError for any bad input, before any work where that can be
    known.
    """
    for config in configs:
        config.check_images(images)
        if config.not_lowered() is not None:
            raise InputError(f"method {config.method!r}: {config.not_lowered()}")
    if out is not None:
        if out.suffix != ".json":
            raise InputError(f"--out: {str(out)!r} does not end in .json")
        for path in (out, out.with_suffix(".md")):
            check_writable_file(path)
    seed = configs[0].seed
    inputs = Inputs.load(
        model, data_set, images=images, seed=seed, weights=weights, progress=progress
    )
    result: Row = {"model": model, "data": data.name(data_set), "images": images, "seed": seed}
    result |= {"tested": len(inputs.test), "versions": versions(), "runs": []}
    for config in configs:
        quantized = quantize(
            inputs.graph, inputs.parameters, inputs.calibration, config, progress=progress
        )
        run = {
            "method": config.method,
            "weight_bits": config.weight_bits,
            "act_bits": config.act_bits,
            "border": str(config.form) if config.has_border else "",
            "iterations": config.iterations,
            "rows": agreements(inputs, quantized, options, progress=progress),
        }
        result["runs"].append(run)
        if out is not None:
            write_json_atomic(out, result)
            write_text_atomic(out.with_suffix(".md"), markdown(result))
    return markdown(result)


def markdown(result: Row) -> str:
    """The table of `result`, a section for each network."""
    lines = [
        f"# {result['model']} on {result['data']} in fixed point",
        "",
        f"Against thresholds, which are the ideal semantics, end to end on {result['tested']} test "
        f"images; seed {result['seed']}, {result['images']} calibration images. *Codes* are those "
        "of all stored tensors.",
    ]
    for run in result["runs"]:
        name = f"`{run['method']}`" + (f", {run['border']}" if run["border"] else "")
        lines += [
            "",
            f"## W{run['weight_bits']}A{run['act_bits']}, {name}, {run['iterations']} iterations",
            "",
            "| fraction bits | profile | codes that differ in % | logits equal in % "
            "| top-1 in % | top-1 with thresholds |",
            "|---|---|---|---|---|---|",
            *map(_line, run["rows"]),
        ]
    versions = ", ".join(f"{name} {value}" for name, value in result["versions"].items())
    return "\n".join([*lines, "", f"{versions}.", ""])


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
