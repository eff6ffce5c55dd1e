"""Define the arguments of the kit's commands `gen`, `check`, `verify`, `identify` and `vectors`."""

from __future__ import annotations

import argparse

from aquant_ref.given import integer, number

COUNT = 10_000  # cases of `gen`
TIMEOUT = 60.0  # seconds
EXIT_CODES = (
    "Exit codes: 0 all that was asked is right; 1 a wrong answer; 2 a broken protocol (a crash, a "
    "hang, a missing or garbled answer), or bad input; 3 a stale deviation; 4 no case passes. "
    "Guide: aquant_ref/conformance/README.md"
)

EXIT_CODES_OF_IDENTIFY = (
    "Exit codes: 0 each operation fits a variation; 1 an operation fits none; 2 a broken protocol, "
    "or bad input. Guide: aquant_ref/conformance/VARIATIONS.md"
)


def case_arguments() -> argparse.ArgumentParser:
    """Return the arguments that select cases; `gen` and `check` must get the same ones."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("operation", metavar="OP", help="round, quantize, requantize, ...")
    parent.add_argument(
        "--profile", metavar="P", help="variation, exact (default), tflite_up, ... of requantize"
    )
    _add_lists(parent)
    parent.add_argument(
        "--rejects", action="store_true", help="ask for inputs that must be refused, and no others"
    )
    parent.add_argument("--n", type=integer, default=COUNT, metavar="N", help=f"default {COUNT}")
    parent.add_argument("--seed", type=integer, default=0, metavar="S", help="default 0")
    parent.add_argument("--only", metavar="IDS", help="these cases alone, such as 3,17")
    parent.add_argument(
        "--edition",
        type=integer,
        default=0,
        metavar="E",
        help="kinds of cases that a later edition added, such as 1 of requantize",
    )
    return parent


def check_arguments() -> argparse.ArgumentParser:
    """Return the arguments of `check` alone."""
    parent = argparse.ArgumentParser(add_help=False)
    _add_outputs(parent)
    parent.add_argument("--oracle", action="store_true", help="no fast judge: fractions alone")
    return parent


def verify_arguments() -> argparse.ArgumentParser:
    """Return the arguments of `verify`."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("operations", nargs="*", metavar="OP", default=None, help="default: all")
    _add_ways(parent.add_argument_group("the implementation, one of"))
    _add_capabilities(parent.add_argument_group("what it can do; linear:WORD is for linear alone"))
    cases = parent.add_argument_group("cases")
    cases.add_argument(
        "--n",
        type=integer,
        metavar="N",
        help="generated cases besides the vectors, default 1000; of tensors a tenth",
    )
    cases.add_argument("--seed", type=integer, metavar="S", help="of generated cases, default 1")
    cases.add_argument(
        "--case", action="append", default=[], metavar="ID", help="this case alone; may be repeated"
    )
    report = parent.add_argument_group("report")
    _add_outputs(report)
    report.add_argument("--deviations", metavar="FILE", help="known differences, a TOML file")
    report.add_argument(
        "--shrink", action="store_true", help="look for the simplest failing inputs (Hypothesis)"
    )
    return parent


def identify_arguments() -> argparse.ArgumentParser:
    """Return the arguments of `identify`."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("operations", nargs="*", metavar="OP", default=None, help="default: all")
    _add_ways(parent.add_argument_group("the implementation, one of"))
    can = parent.add_argument_group("what it can do; linear:WORD is for linear alone")
    _add_lists(can)
    _add_sizes(can)
    parent.add_argument(
        "--n",
        type=integer,
        metavar="N",
        help="generated cases in each variation, besides the vectors, default 200; of tensors a "
        "tenth",
    )
    parent.add_argument("--seed", type=integer, metavar="S", help="of generated cases, default 1")
    parent.add_argument("--json", action="store_true", help="print what is found as JSON")
    _add_timeout(parent)
    parent.set_defaults(profile=None, variations=None, rejects=False, keep=None)
    return parent


def vectors_arguments() -> argparse.ArgumentParser:
    """Return the arguments of `vectors`."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("action", choices=["generate", "lint"])
    parent.add_argument("--dir", metavar="DIR", help="default: those of this package")
    return parent


def _add_ways(parent: argparse._ActionsContainer) -> None:
    parent.add_argument(
        "--adapter",
        metavar="MOD:CLASS",
        help="an Adapter in Python, or an engine: onnxruntime, onnx-reference, litert, "
        "litert-optimised, xnnpack, torch, torch-onednn, torch-fbgemm, torch-qnnpack "
        "(default: this package)",
    )
    parent.add_argument(
        "--in-process",
        action="store_true",
        help="ask the adapter in this process, as a debugger needs it; a crash then ends the run",
    )
    parent.add_argument("--pipe", metavar="CMD", help="a kernel that reads streams, './kernel'")
    parent.add_argument(
        "--exec",
        metavar="CMD",
        help="a kernel that gets a directory for each case, './kernel {case}'",
    )
    parent.add_argument(
        "--library", metavar="FILE", help="a shared library with C functions, ./libkernel.so"
    )


def _add_capabilities(parent: argparse._ActionsContainer) -> None:
    parent.add_argument(
        "--profile",
        metavar="LIST",
        help="of requantization: exact (default), tflite_up, float32, ...",
    )
    parent.add_argument(
        "--variations",
        metavar="LIST",
        help="of other operations, such as quantize:float32 (default: as the contract)",
    )
    _add_lists(parent)
    _add_sizes(parent)
    parent.add_argument(
        "--rejects", action="store_true", help="it refuses what it must; ask for such inputs, too"
    )


def _add_lists(parent: argparse._ActionsContainer) -> None:
    parent.add_argument("--bits", metavar="LIST", help="of codes, default 2,4,8,16")
    parent.add_argument("--signs", metavar="LIST", help="of codes, default unsigned,signed")
    parent.add_argument("--rounding", metavar="LIST", help="of reals to codes, default: all rules")


def _add_sizes(parent: argparse._ActionsContainer) -> None:
    parent.add_argument("--granularity", metavar="LIST", help="of scales, default tensor,channel")
    parent.add_argument("--sizes", metavar="LIST", help="of tensors, default small,large")


def _add_outputs(parent: argparse._ActionsContainer) -> None:
    parent.add_argument("--json", action="store_true", help="print the report as JSON")
    parent.add_argument("--junit", metavar="FILE", help="write the report as JUnit XML, too")
    parent.add_argument("--html", metavar="FILE", help="write the report as an HTML page, too")
    parent.add_argument(
        "--keep", metavar="DIR", help="keep wrong cases there, a directory each; of --exec all"
    )
    _add_timeout(parent)


def _add_timeout(parent: argparse._ActionsContainer) -> None:
    parent.add_argument(
        "--timeout",
        type=number,
        metavar="S",
        help=f"seconds without an answer of a kernel that count as hanging, default {TIMEOUT:g}",
    )
