"""Reproduce a claim of the paper by its number; README.md of this folder numbers the claims."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref import data
from aquant_ref.checks import takes_functions
from aquant_ref.claims import pictures, tables
from aquant_ref.claims.borders import shapes
from aquant_ref.claims.layer_errors import layer_errors
from aquant_ref.claims.learned import learned
from aquant_ref.claims.overhead import FORMS, overhead
from aquant_ref.errors import InputError, counted, unknown
from aquant_ref.formats.atomic import (
    check_writable_file,
    replacing,
    write_json_atomic,
    write_text_atomic,
)
from aquant_ref.progress import Progress, Say, quiet, silent
from aquant_ref.ptq.methods import A_ROUNDING, ClosedForm, Config
from aquant_ref.ptq.pass_config import ReconstructionPass

if TYPE_CHECKING:
    from aquant_ref.experiments.experiment import Experiment
    from aquant_ref.experiments.inputs import Inputs

# The claims that a table of accuracies reproduces, with its methods.
TABLES = {
    1: "qdrop,a-rounding,aquant,aquant@row",
    4: "aquant@row,aquant@row/window",
    6: "rtn,adaround,brecq,qdrop,qdrop-scales,qdrop-bias,aquant,aquant@row",
}
OF_TABLES = ("model", "data", "images", "iters", "weights", "bits", "seeds")
TEST_IMAGES = 300
BEFORE, CONTROL = "qdrop-scales", "qdrop-bias"
SUFFIXES = (".png", ".txt", ".json")


@dataclass(frozen=True)
class Evidence:
    """The result of a claim: plain JSON values, a table, and a function that draws a PNG."""

    result: dict[str, Any]
    table: str
    draw: Callable[[], bytes] | None = None


@dataclass(frozen=True)
class Claim:
    """How to reproduce a claim: `gather(inputs, config, progress)`.

    `iterations` and `images` are the defaults of the first pass and of calibration. They are small
    where only the cost matters.
    """

    title: str
    gather: Callable[[Inputs, Config, Progress], Evidence]
    iterations: int = 500
    images: int = 1024
    picture: bool = True


@takes_functions
def border_shapes(inputs: Inputs, config: Config, progress: Progress = quiet) -> Evidence:
    """Reproduce claim 2: B(t) of every border that the method of `config` learns."""
    (network,) = learned(inputs, [config], progress=progress)
    borders = shapes(network)
    result = {"config": asdict(config), "borders": [border.result() for border in borders]}
    return Evidence(result, tables.of_borders(borders), lambda: pictures.borders(borders))


@takes_functions
def error_bias(inputs: Inputs, config: Config, progress: Progress = quiet) -> Evidence:
    """Reproduce claim 3: bias and size of the error of every layer.

    The result compares three networks: without a border, with the method of `config`, and with
    learned biases in place of a border.
    """
    methods = dict.fromkeys((BEFORE, config.method, CONTROL))
    configs = [
        config if method == config.method else replace(config, method=method, border="")
        for method in methods
    ]
    networks = learned(inputs, configs, progress=progress)
    codes = inputs.test.batch(np.arange(min(TEST_IMAGES, len(inputs.test))))
    errors = {
        method: layer_errors(network, codes, progress=progress, label=f"errors {method}")
        for method, network in zip(methods, networks, strict=True)
    }
    result = {
        "config": asdict(config),
        "images": len(codes),
        "methods": {
            method: [each.result() for each in layers] for method, layers in errors.items()
        },
    }
    return Evidence(result, tables.of_errors(errors), lambda: pictures.errors(errors))


@takes_functions
def border_overhead(inputs: Inputs, config: Config, progress: Progress = quiet) -> Evidence:
    """Reproduce claim 5: the cost of each form of the border, or only of the form of `config`."""
    forms = (config.border,) if config.border else FORMS
    result = overhead(inputs, config, forms, progress=progress)
    return Evidence(result, tables.of_overhead(result))


CLAIMS = {
    2: Claim("the border is a simple function of the activation", border_shapes),
    3: Claim("the border removes the bias of the element-wise error", error_bias),
    5: Claim("the overhead of the border is negligible", border_overhead, 5, 64, False),
}


def table_command(number: int, options: Mapping[str, Any]) -> str:
    """Return the command that reproduces claim `number`, one of `TABLES`.

    `options` are the options that differ from their defaults, by name. Raises InputError for one
    that `aquant-ref table` does not take.
    """
    command = ["aquant-ref", "table", "--methods", TABLES[number]]
    for name, value in options.items():
        if name not in OF_TABLES:
            raise InputError(
                f"--{name}: claim {number} is reproduced by a table, which has no such option; "
                f"see aquant-ref claim {number}"
            )
        command += [f"--{name}", str(value)]
    return shlex.join([*command, "--out", f"claim{number}.json"])


def claim(number: int) -> Claim:
    """Return claim `number`; raise InputError, which lists the claims, for an unknown one."""
    if number not in CLAIMS:
        raise InputError(unknown("claim", number, map(str, sorted(CLAIMS.keys() | TABLES))))
    return CLAIMS[number]


@takes_functions
def reproduce(
    number: int,
    experiment: Experiment,
    *,
    out: str | None = None,
    progress: Progress = quiet,
    say: Say = silent,
) -> Evidence:
    """Gather the evidence for claim `number` on a model and a data set.

    `out` is a file for the picture (.png), the table (.txt) or the result (.json). Raises
    InputError for bad input, before the long work if possible.
    """
    chosen, config = claim(number), experiment.config
    if experiment.images < config.batch:
        raise InputError(
            f"images: {counted(experiment.images, 'calibration image')}, fewer than a batch of "
            f"{config.batch}"
        )
    if number == 2 and not any(
        isinstance(stage, ReconstructionPass | ClosedForm) and stage.border
        for stage in config.stages()
    ):
        raise InputError(f"claim 2: method {config.method!r} learns no border")
    if config.method == A_ROUNDING:
        raise InputError("method: a-rounding searches at inference and has no border to show")
    if out is not None:
        _check_out(Path(out), chosen, number)
    inputs = experiment.inputs(progress=progress, say=say)
    evidence = chosen.gather(inputs, config, progress)
    if how := data.division(experiment.data):
        evidence = replace(
            evidence,
            result={**evidence.result, "division": how},
            table=f"{evidence.table}\n{experiment.data}: {how}",
        )
    if out is not None:
        _write(Path(out), evidence)
    return evidence


def _check_out(path: Path, chosen: Claim, number: int) -> None:
    if path.suffix not in SUFFIXES:
        raise InputError(f"out: {str(path)!r} does not end in {', '.join(SUFFIXES)}")
    if path.suffix == ".png":
        if not chosen.picture:
            raise InputError(f"out: {str(path)!r}: claim {number} has no picture")
        pictures.needs_matplotlib()
    check_writable_file(path)


def _write(path: Path, evidence: Evidence) -> None:
    if path.suffix == ".json":
        write_json_atomic(path, evidence.result)
    elif path.suffix == ".txt":
        write_text_atomic(path, evidence.table + "\n")
    elif evidence.draw is not None:
        with replacing(path) as stream:
            stream.write(evidence.draw())
