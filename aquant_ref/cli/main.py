"""The command `aquant-ref`: with `terminal.py` the only place that prints.

Tables go to standard output, progress and errors to standard error. Bad input is one line and exit
code 2; `--debug` shows where it came from. A defect of ours is a traceback and exit code 70, since
1 means that something differs. numpy is imported only after `use_one_blas_thread`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from aquant_ref import __version__, outputs
from aquant_ref.cli import arguments
from aquant_ref.cli.terminal import (
    ReaderGone,
    end_output,
    open_streams,
    output_aside,
    say,
    show,
    signals_interrupt,
)
from aquant_ref.conformance import commands as kit
from aquant_ref.errors import InputError, check_text, printable
from aquant_ref.given import integers, words
from aquant_ref.threads import set_threads, use_one_blas_thread

# the arguments that are a name, which is empty where a variable of the shell is not set
NAMES = (
    "adapter",
    "library",
    "keep",
    "profile",
    "directory",
    "out",
    "weights",
    "deviations",
    "junit",
    "html",
    "dir",
    "record",
    "program",
    "a",
    "b",
)
MOST = {"threads": 1024, "iters": 1_000_000, "epochs": 1_000_000}  # beyond is a slip
BAD_INPUT = 2
DEFECT = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # what shells report for a program that Ctrl-C ended


def progress(steps: Iterable[int], label: str) -> Iterable[int]:
    """A progress bar over `steps` on standard error; silent where that is not a terminal."""
    from tqdm import tqdm

    bar: Iterable[int] = tqdm(
        steps, desc=f"{label:<28}", leave=False, disable=not sys.stderr.isatty(), file=sys.stderr
    )
    return bar


def quantize(args: argparse.Namespace) -> int:
    """The main job: calibrate, learn, lower, run beside the simulation."""
    from aquant_ref.cli import render
    from aquant_ref.experiments import quantize
    from aquant_ref.lowering.lowerings import fixed_point
    from aquant_ref.ptq import Config

    config = Config(
        args.method,
        args.weight_bits,
        args.act_bits,
        args.iters,
        seed=args.seed,
        border=args.border,
        signed=args.signed,
    )
    outcome = quantize.run(
        args.model,
        args.data,
        config,
        fixed_point=fixed_point(args.lowering, args.fraction_bits, args.profile),
        images=args.images,
        weights=args.weights,
        out=args.out,
        progress=progress,
        say=say,
    )
    show(json.dumps(outcome.result, indent=2) if args.json else render.of_outcome(outcome))
    return 0 if outcome.exact else 1


def run(args: argparse.Namespace) -> int:
    """Run a saved program again, beside the simulation of the saved model."""
    from aquant_ref.cli import render
    from aquant_ref.experiments import artifacts

    rerun = artifacts.rerun(
        Path(args.directory),
        args.data,
        images=args.images,
        dtype=args.dtype,
        record=args.record,
        simulate=args.simulate,
        progress=progress,
    )
    show(json.dumps(rerun.result, indent=2) if args.json else render.of_rerun(rerun))
    return 0 if rerun.agreement.exact else 1


def certify(args: argparse.Namespace) -> int:
    """Certify a saved program: bounds, margins, and inputs that show fragile decisions."""
    from aquant_ref.cli import render
    from aquant_ref.experiments import artifacts

    layers = artifacts.certificates(Path(args.directory), dtype=args.dtype, progress=progress)
    form = render.json_of_certificates if args.json else render.of_certificates
    show(form(layers, args.directory, args.dtype))
    return 0


def compare(args: argparse.Namespace) -> int:
    """Compare two recorded runs: what differs, where first, and what it looks like."""
    from aquant_ref.cli import render
    from aquant_ref.experiments import artifacts

    directory = None if args.program is None else Path(args.program)
    a, b, found = artifacts.comparison(
        Path(args.a), Path(args.b), directory=directory, dtype=args.dtype
    )
    form = render.json_of_comparison if args.json else render.of_comparison
    show(form(found, (a, b), args.dtype))
    return 0 if found.equal else 1


def table(args: argparse.Namespace) -> int:
    """Run a grid of methods, bits and seeds on all cores; resumable."""
    from aquant_ref.experiments import grid, results, worker

    configs = tuple(
        grid.parse(method, bits, iterations=args.iters, seed=seed)
        for bits in words("--bits", args.bits)
        for method in words("--methods", args.methods)
        for seed in integers("--seeds", args.seeds)
    )
    work = worker.Grid(args.model, args.data, configs, images=args.images, weights=args.weights)
    out = Path(args.out)
    try:
        rows = grid.run(work, out, processes=args.threads, progress=progress, say=say)
    except KeyboardInterrupt:
        say(f"{out.stem}.cells: holds what is finished; the same command goes on from there")
        raise
    show(results.markdown(results.arrange(rows)).removesuffix("\n"))
    return 0


def models(args: argparse.Namespace) -> int:
    """List the models with their cards."""
    import reference_models

    chosen = [reference_models.get(args.model)] if args.model else reference_models.MODELS.values()
    for model in chosen:
        weights = ", ".join(model.trained_on()) or "no data set"
        show(f"{model.name}: {model.summary}; weights for {weights}\n")
        show(model.card())
    return 0


def train(args: argparse.Namespace) -> int:
    """Train a model, or go on from the checkpoint that an interrupted training left."""
    from aquant_ref.experiments import quantize

    quantize.train(
        args.model,
        args.data,
        out=None if args.out is None else Path(args.out),
        epochs=args.epochs,
        seed=args.seed,
        progress=progress,
        say=say,
    )
    return 0


def claim(args: argparse.Namespace) -> int:
    """Reproduce one claim of the paper: numbers and a picture, or the command of its table."""
    from aquant_ref.claims import claims

    if args.number in claims.TABLES:
        command = claims.table_command(args.number, _unlike_default(args))
        show(f"claim {args.number} is reproduced by a table, which this command makes:\n{command}")
        return 0
    evidence = claims.reproduce(
        args.number,
        model=args.model,
        data_set=args.data,
        method=args.method,
        weight_bits=args.weight_bits,
        act_bits=args.act_bits,
        border=args.border,
        iterations=args.iters,
        images=args.images,
        seed=args.seed,
        weights=args.weights,
        out=args.out,
        progress=progress,
        say=say,
    )
    show(json.dumps(evidence.result, indent=2) if args.json else evidence.table)
    return 0


def _unlike_default(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `claim` that were given another value than their default, as of a table."""
    plain = vars(parser().parse_args(["claim", str(args.number)]))
    given = {name for name, value in vars(args).items() if value != plain.get(name)}
    options = {name: getattr(args, name) for name in sorted(given - {"debug", "threads"})}
    if given & {"weight_bits", "act_bits"}:
        options = {name: v for name, v in options.items() if not name.endswith("_bits")}
        options["bits"] = f"W{args.weight_bits}A{args.act_bits}"
    if "seed" in options:
        options["seeds"] = options.pop("seed")
    return options


def fixed_point(args: argparse.Namespace) -> int:
    """How close fixed point comes to the ideal semantics, by its fraction bits."""
    from aquant_ref.experiments import grid
    from aquant_ref.experiments.fraction_bits import markdown, table
    from aquant_ref.quant.fixed_point import FixedPoint

    configs = [
        grid.parse(args.method, bits, iterations=args.iters, seed=args.seed)
        for bits in words("--bits", args.bits)
    ]
    options = [
        FixedPoint(bits, profile)
        for profile in words("--profiles", args.profiles)
        for bits in integers("--fraction-bits", args.fraction_bits)
    ]
    rows = table(
        args.model,
        args.data,
        configs,
        options,
        images=args.images,
        weights=args.weights,
        out=None if args.out is None else Path(args.out),
        progress=progress,
        say=say,
    )
    show(markdown(rows).removesuffix("\n"))
    return 0


def exact(args: argparse.Namespace) -> int:
    """Run every lowering of a network beside its simulation and count what differs; resumable."""
    from aquant_ref.experiments import grid
    from aquant_ref.experiments.exactness import markdown, table

    rows = table(
        args.model,
        args.data,
        [grid.parse("aquant", bits, iterations=args.iters) for bits in words("--bits", args.bits)],
        words("--lowerings", args.lowerings),
        images=args.images,
        weights=args.weights,
        out=Path(args.out),
        progress=progress,
        say=say,
    )
    show(markdown(rows).removesuffix("\n"))
    return 1 if any(row["mismatches"] for row in rows) else 0


def gen(args: argparse.Namespace) -> int:
    """Write test cases of one operation as a stream that a kernel in any language reads."""
    return kit.gen(args, show)


def check(args: argparse.Namespace) -> int:
    """Judge a kernel's answers to what gen, with the same arguments, has written."""
    return kit.check(args, show, sys.stdin.buffer)


def verify(args: argparse.Namespace) -> int:
    """Verify an implementation against the contract: stored vectors and generated cases."""
    render: list[str] = []
    with output_aside(), signals_interrupt():
        code = kit.verify(args, render.append)
    show("\n".join(render))
    return code


def vectors(args: argparse.Namespace) -> int:
    """Write the stored vectors of the contract, or check them."""
    return kit.vectors(args, show)


COMMANDS = {
    "quantize": quantize,
    "run": run,
    "models": models,
    "train": train,
    "table": table,
    "claim": claim,
    "fixed-point": fixed_point,
    "exact": exact,
    "certify": certify,
    "compare": compare,
    "gen": gen,
    "check": check,
    "verify": verify,
    "vectors": vectors,
}


@cache
def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    return arguments.parser(COMMANDS)


def main(given: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. With --debug what ends it is raised."""
    use_one_blas_thread()
    debug = False
    try:
        args = parser().parse_args(given)
        debug = args.debug
        _check(args)
        if args.threads is not None:
            set_threads(args.threads)
        code: int = args.function(args)
        return code
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            raise
        return _end_with(error)


def _check(args: argparse.Namespace) -> None:
    """Before any work: raises InputError for what no command takes."""
    if args.threads is not None and args.threads < 1:
        raise InputError(f"--threads: needs at least 1, got {args.threads}")
    for name, most in MOST.items():
        if (getattr(args, name, None) or 0) > most:
            raise InputError(f"--{name}: needs {most} at most, got {getattr(args, name)}")
    for name in NAMES:
        if getattr(args, name, None) == "":
            raise InputError(f"{name}: is an empty name")
    for name, value in vars(args).items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str):
                check_text(name, text)
    outputs.check(args)


def _end_with(error: BaseException) -> int:
    """Say what has ended the command; returns its exit code."""
    if isinstance(error, InputError):
        say(f"aquant-ref: error: {error}")
        return BAD_INPUT
    if isinstance(error, MemoryError):
        what = printable(str(error) or "of the machine, or of its limit")
        say(f"aquant-ref: error: there is not enough memory ({what})")
        return BAD_INPUT
    if isinstance(error, ReaderGone):
        return 0
    if isinstance(error, KeyboardInterrupt):
        say("aquant-ref: interrupted; no half-written file is left")
        return INTERRUPTED
    say("".join(traceback.format_exception(error)).rstrip())
    say(
        "aquant-ref: this is a defect of aquant_ref; please report it, with the command and the "
        f"lines above (aquant_ref {__version__}, exit code {DEFECT})"
    )
    return DEFECT


def command() -> None:
    """The command itself: `main`, and its exit code for the shell."""
    open_streams()
    try:
        code = _code_of_main()
        end_output()
    except BaseException as error:
        code = _end_with(error)
    if code == INTERRUPTED:
        # without a wait for our threads: one may be at a lock that the main thread left locked
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os._exit(code)
    sys.exit(code)


def _code_of_main() -> int:
    try:
        return main()
    except SystemExit as end:  # of --help and --version
        return int(end.code or 0)
    except BaseException as error:  # with --debug, or what `main` lets pass
        if isinstance(error, InputError | KeyboardInterrupt):
            say("".join(traceback.format_exception(error)).rstrip())
        return _end_with(error)


if __name__ == "__main__":
    command()
