"""Define the arguments of the kit's commands `gen`, `check`, `verify` and `vectors`."""

from __future__ import annotations

import argparse

from aquant_ref.given import integer, number

COUNT = 10_000  # cases of `gen`
TIMEOUT = 60.0  # seconds


def case_arguments() -> argparse.ArgumentParser:
    """Return the arguments that select cases; `gen` and `check` must get the same ones."""
    parent = _choices()
    parent.add_argument("operation", metavar="OP", help="round, quantize, requantize, ...")
    parent.add_argument("--n", type=integer, default=COUNT, metavar="N", help=f"default {COUNT}")
    parent.add_argument("--seed", type=integer, default=0, metavar="S", help="default 0")
    parent.add_argument("--only", metavar="IDS", help="these cases alone, such as 3,17")
    parent.add_argument(
        "--edition",
        type=integer,
        default=0,
        metavar="E",
        help="kinds of cases that came later: 1 of multiplier and requantize",
    )
    return parent


def check_arguments() -> argparse.ArgumentParser:
    """Return the arguments of `check` alone."""
    parent = _outputs()
    parent.add_argument("--oracle", action="store_true", help="no fast judge: fractions alone")
    return parent


def verify_arguments() -> argparse.ArgumentParser:
    """Return the arguments of `verify`."""
    parent = argparse.ArgumentParser(add_help=False, parents=[_choices(), _outputs()])
    parent.add_argument("operations", nargs="*", metavar="OP", default=None, help="default: all")
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
        "--exec", metavar="CMD", help="a kernel that is given a directory a case, './kernel {case}'"
    )
    parent.add_argument(
        "--library", metavar="FILE", help="a shared library with C functions, ./libkernel.so"
    )
    parent.add_argument("--sizes", metavar="LIST", help="of tensors, default small,large")
    parent.add_argument("--granularity", metavar="LIST", help="of scales, default tensor,channel")
    parent.add_argument(
        "--variations",
        metavar="LIST",
        help="how other operations compute, such as quantize:float32 (default: as the contract)",
    )
    parent.add_argument(
        "--n",
        type=integer,
        metavar="N",
        help="generated cases besides the vectors, default 1000; of tensors a tenth",
    )
    parent.add_argument("--seed", type=integer, metavar="S", help="of generated cases, default 1")
    parent.add_argument("--deviations", metavar="FILE", help="deviations.toml: what you know of")
    parent.add_argument(
        "--shrink", action="store_true", help="look for the simplest failing inputs (Hypothesis)"
    )
    parent.add_argument("--case", action="append", default=[], metavar="ID", help="only this one")
    return parent


def vectors_arguments() -> argparse.ArgumentParser:
    """Return the arguments of `vectors`."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("action", choices=["generate", "lint"])
    parent.add_argument("--dir", metavar="DIR", help="default: those of this package")
    return parent


def _choices() -> argparse.ArgumentParser:
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--profile",
        metavar="P",
        help="variation, of requantization exact (default), tflite_up, ...; verify takes a list, "
        "and in this and the next three OP:WORD is for one operation, linear:float64",
    )
    parent.add_argument("--bits", metavar="LIST", help="of codes, default 2,4,8,16")
    parent.add_argument("--signs", metavar="LIST", help="default unsigned,signed")
    parent.add_argument("--rounding", metavar="LIST", help="default: all rules")
    parent.add_argument(
        "--rejects", action="store_true", help="inputs that have to be refused (verify: too)"
    )
    return parent


def _outputs() -> argparse.ArgumentParser:
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--json", action="store_true", help="print JSON, not the table")
    parent.add_argument("--junit", metavar="FILE", help="write JUnit XML there")
    parent.add_argument("--html", metavar="FILE", help="write a page there")
    parent.add_argument(
        "--keep", metavar="DIR", help="keep wrong cases there, a directory each; of --exec all"
    )
    parent.add_argument(
        "--timeout",
        type=number,
        metavar="S",
        help=f"seconds without an answer of a kernel that count as hanging, default {TIMEOUT:g}",
    )
    return parent
