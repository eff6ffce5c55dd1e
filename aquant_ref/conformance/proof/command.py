"""The command `prove`: its arguments and what it does. numpy is imported with the work."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aquant_ref.errors import InputError
from aquant_ref.given import integer, number, words
from aquant_ref.progress import Progress, quiet

if TYPE_CHECKING:
    from aquant_ref.conformance.contract import Operation
    from aquant_ref.conformance.proof.inputs import Inputs
    from aquant_ref.conformance.proof.prove import Chosen
    from aquant_ref.conformance.proof.settings import Setting

PROVED, REFUTED, ENDED = 0, 1, 2  # exit codes; 2 is that of a bad input, too
TIMEOUT = 60.0
MOST_BESIDE = 1 << 32
BETWEEN = ".."  # of the ends of a range
EVERYTHING = "all"
EXIT_CODES = (
    "Exit codes: 0 proved; 1 refuted, by the counterexample shown; 2 the library crashes or hangs, "
    "or bad input. Guide: aquant_ref/conformance/LIBRARY.md"
)


def prove(args: argparse.Namespace, show: Callable[[str], None], progress: Progress = quiet) -> int:
    """Prove a function of a library, or show the first counterexample; returns the exit code."""
    from aquant_ref.conformance.adapters.library.process import Library
    from aquant_ref.conformance.proof import prove as proofs
    from aquant_ref.conformance.proof.settings import left_out, provable
    from aquant_ref.conformance.protocol.streams import check_timeout
    from aquant_ref.engine.program import Program
    from aquant_ref.formats.atomic import check_writable_file, write_text_atomic
    from aquant_ref.outputs import FILES

    operation = provable(args.operation)
    timeout = check_timeout(TIMEOUT if args.timeout is None else args.timeout)
    settings = _settings(args, operation)
    chosen = _chosen(args, settings[0].swept.inputs)
    if args.out is not None:
        check_writable_file(args.out)
    library = Library(args.library, timeout)
    found = proofs.prove(library, settings, chosen, progress=progress)
    if isinstance(found, proofs.Counterexample):
        show(found.text())
        return ENDED if found.ended else REFUTED
    if args.program is not None:
        found.program = Program.load(Path(args.program) / FILES[1]).sha256()
        found.left_out = left_out(operation, Path(args.program))
    if args.out is not None:
        write_text_atomic(args.out, found.certificate())
    show(found.text())
    return PROVED


def _settings(args: argparse.Namespace, operation: Operation) -> list[Setting]:
    from aquant_ref.conformance.cases.selection import check_words
    from aquant_ref.conformance.proof import settings

    choices = settings.choices(operation)
    default = "" if args.program is not None and operation.variations else choices[0]
    variations = choices if args.profile == EVERYTHING else [args.profile or default]
    if args.profile not in (EVERYTHING, None):
        variations = list(words("profile", args.profile))
        check_words("profile", variations, choices)
    if args.program is not None and args.set:
        raise InputError("set: not with --program, which has the parameters")
    found: list[Setting] = []
    for variation in variations:
        if args.program is not None:
            found += settings.of_program(operation, variation, Path(args.program))
        elif args.set:
            found += [settings.of_words(operation, variation, each) for each in args.set]
        else:
            found += settings.of_vectors(operation, variation)
    return found


def _chosen(args: argparse.Namespace, inputs: Inputs) -> Chosen:
    from aquant_ref.conformance.proof.prove import Chosen

    if args.beside is not None and not 1 <= args.beside <= MOST_BESIDE:
        raise InputError(f"beside: needs 1 to {MOST_BESIDE}, got {args.beside}")
    if args.range is None:
        return Chosen(None, args.beside)
    if args.range == EVERYTHING:
        return Chosen((inputs.low, inputs.high), args.beside)
    low, separator, high = args.range.partition(BETWEEN)
    if not separator:
        raise InputError(f"range: needs LOW..HIGH or all, got {args.range!r}")
    try:
        ends = inputs.key(number(low)), inputs.key(number(high))
    except (InputError, OverflowError, ValueError) as error:
        raise InputError(f"range: needs LOW..HIGH or all, got {args.range!r}") from error
    if not inputs.low <= ends[0] <= ends[1] <= inputs.high:
        raise InputError(f"range: {args.range!r} is empty or beyond {inputs.name}")
    return Chosen(ends, args.beside)


def prove_arguments() -> argparse.ArgumentParser:
    """Return a parser to inherit from: what is proved, of which library."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("operation", metavar="OP", help="requantize, threshold, quantize, ...")
    parent.add_argument(
        "--library", required=True, metavar="FILE", help="a shared library, ./libkernel.so"
    )
    parent.add_argument(
        "--program",
        metavar="DIR",
        help="take the parameters and inputs of its channels (from quantize --out)",
    )
    parent.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE,...",
        help="take these parameters; default: those of the stored vectors, up to 8 bits",
    )
    parent.add_argument(
        "--profile",
        metavar="LIST",
        help="variations, or all; default exact, or the program's",
    )
    parent.add_argument("--range", metavar="LOW..HIGH", help="of the inputs, or all")
    parent.add_argument(
        "--beside",
        type=integer,
        metavar="N",
        help="not every input: only N on both sides of each step, and at the ends",
    )
    parent.add_argument("--out", metavar="FILE", help="write the certificate there, as JSON")
    parent.add_argument(
        "--timeout",
        type=number,
        metavar="S",
        help=f"seconds that a call may take, default {TIMEOUT:g}",
    )
    return parent
