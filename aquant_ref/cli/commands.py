"""The commands of `aquant-ref`: each reads its arguments, calls a room, and shows the result.

The rooms are imported where they are used, so that `--help` is quick.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aquant_ref.cli import arguments
from aquant_ref.cli.terminal import output_aside, say, show, signals_interrupt
from aquant_ref.conformance import commands as kit
from aquant_ref.conformance.proof import command as proof
from aquant_ref.given import integers, words

if TYPE_CHECKING:
    import argparse

    from aquant_ref.experiments.experiment import Experiment
    from aquant_ref.ptq.methods import Config


def progress(steps: Iterable[int], label: str) -> Iterable[int]:
    """Show a progress bar over `steps` on standard error, if that is a terminal."""
    from tqdm import tqdm

    bar: Iterable[int] = tqdm(
        steps, desc=f"{label:<28}", leave=False, disable=not sys.stderr.isatty(), file=sys.stderr
    )
    return bar


def experiment(args: argparse.Namespace, config: Config, **more: Any) -> Experiment:
    """Return what the command runs: model, weights and images of `args`, quantized by `config`."""
    from aquant_ref.experiments.experiment import Experiment

    settings = {"images": args.images, "weights": args.weights, **more}
    return Experiment(args.model, args.data, config, **settings)


def quantize(args: argparse.Namespace) -> int:
    """Do the main job: calibrate, learn, lower, run beside the simulation."""
    from aquant_ref.cli import render
    from aquant_ref.experiments.quantize import run_experiment
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
        mixing=args.mixing,
        search=args.search,
    )
    lowering = fixed_point(args.lowering, args.fraction_bits, args.profile)
    chosen = experiment(args, config, lowering=lowering)
    outcome = run_experiment(chosen, out=args.out, progress=progress, say=say)
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
    from aquant_ref.experiments import grid
    from aquant_ref.experiments import table as rows_of

    settings = {"iterations": args.iters, "mixing": args.mixing, "search": args.search}
    experiments = [
        experiment(args, grid.parse(method, bits, seed=seed, **settings))
        for bits in words("--bits", args.bits)
        for method in words("--methods", args.methods)
        for seed in integers("--seeds", args.seeds)
    ]
    out = Path(args.out)
    try:
        rows = grid.accuracy_table(
            experiments, out, processes=args.threads, progress=progress, say=say
        )
    except KeyboardInterrupt:
        say(f"{out.stem}.cells: holds what is finished; the same command goes on from there")
        raise
    show(rows_of.markdown(rows_of.arrange(rows)).removesuffix("\n"))
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
    from aquant_ref.experiments.quantize import train_model

    train_model(
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
    from aquant_ref.ptq.methods import Config

    if args.number in claims.TABLES:
        command = claims.table_command(args.number, _unlike_default(args))
        show(f"claim {args.number} is reproduced by a table, which this command makes:\n{command}")
        return 0
    chosen = claims.claim(args.number)
    config = Config(
        args.method,
        args.weight_bits,
        args.act_bits,
        chosen.iterations if args.iters is None else args.iters,
        seed=args.seed,
        border=args.border,
    )
    images = chosen.images if args.images is None else args.images
    evidence = claims.reproduce(
        args.number,
        experiment(args, config, images=images),
        out=args.out,
        progress=progress,
        say=say,
    )
    show(json.dumps(evidence.result, indent=2) if args.json else evidence.table)
    return 0


def _unlike_default(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `claim` that differ from their defaults, as options of a table."""
    plain = vars(arguments.parser(COMMANDS).parse_args(["claim", str(args.number)]))
    given = {name for name, value in vars(args).items() if value != plain.get(name)}
    options = {name: getattr(args, name) for name in sorted(given - {"debug", "threads"})}
    if given & {"weight_bits", "act_bits"}:
        options = {name: v for name, v in options.items() if not name.endswith("_bits")}
        options["bits"] = f"W{args.weight_bits}A{args.act_bits}"
    if "seed" in options:
        options["seeds"] = options.pop("seed")
    return options


def fixed_point(args: argparse.Namespace) -> int:
    """Measure how close fixed point comes to the ideal semantics, by its fraction bits."""
    from aquant_ref.experiments import grid
    from aquant_ref.experiments.fraction_bits import fraction_bits_table, markdown
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
    experiments = [experiment(args, c, lowering=option) for c in configs for option in options]
    out = None if args.out is None else Path(args.out)
    rows = fraction_bits_table(experiments, out, progress=progress, say=say)
    show(markdown(rows).removesuffix("\n"))
    return 0


def exact(args: argparse.Namespace) -> int:
    """Run every lowering of a network beside its simulation and count what differs; resumable."""
    from aquant_ref.experiments import grid
    from aquant_ref.experiments.exactness import exactness_table, markdown

    experiments = [
        experiment(args, grid.parse("aquant", bits, iterations=args.iters))
        for bits in words("--bits", args.bits)
    ]
    lowerings = words("--lowerings", args.lowerings)
    rows = exactness_table(experiments, lowerings, Path(args.out), progress=progress, say=say)
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


def identify(args: argparse.Namespace) -> int:
    """Find which variation of each operation an implementation computes."""
    render: list[str] = []
    with output_aside(), signals_interrupt():
        code = kit.identify(args, render.append, progress)
    show("\n".join(render))
    return code


def prove(args: argparse.Namespace) -> int:
    """Prove a function of a library for every input, or show the first counterexample."""
    with signals_interrupt():
        return proof.prove(args, show, progress)


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
    "identify": identify,
    "prove": prove,
    "vectors": vectors,
}
