"""The arguments of the command `aquant-ref`: what there is, its default, its help.

`commands.py` says what the commands do. numpy is not imported here, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

from aquant_ref import __version__
from aquant_ref.conformance import arguments as kit
from aquant_ref.conformance.proof import command as proof
from aquant_ref.errors import InputError, nearest, unknown
from aquant_ref.given import integer

MODEL = "resnet8, mobilenet, resnet18, or FILE.py:FUNCTION of your own, which is executed"
Command = Callable[[argparse.Namespace], int]
NewCommand = Callable[..., argparse.ArgumentParser]  # of a name, and parsers to inherit from


class Parser(argparse.ArgumentParser):
    """A parser whose errors are InputError, one line as all others; `commands` are all parsers."""

    commands: ClassVar[Mapping[str, argparse.ArgumentParser]] = {}
    # what begins so is a value and no option, as in Python 3.14: -1..30, -8,4
    _negative_number_matcher = re.compile(r"-(\.?\d|inf)")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._negative_number_matcher = Parser._negative_number_matcher

    def error(self, message: str) -> NoReturn:
        """Raise InputError; in the place of several lines and an end."""
        raise InputError(f"{message}; see {self.prog} --help")

    def parse_known_args(  # type: ignore[override]  # argparse has overloads for other namespaces
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse all that is there; raises InputError, which suggests an option, for any rest."""
        parsed, rest = super().parse_known_args(args, namespace)
        if rest:
            hint = self._hint(rest[0].partition("=")[0]) if rest[0].startswith("-") else ""
            self.error(f"unrecognized arguments: {' '.join(rest)}{hint}")
        return parsed, rest

    def _hint(self, option: str) -> str:
        """Suggest the nearest option, or the commands that have this one.

        Dashes, which all options share, make none of them near.
        """
        stem = option.lstrip("-")
        known = [name[2:] for name in self._option_string_actions if name.startswith("--")]
        others = [n for n, each in self.commands.items() if option in each._option_string_actions]
        if others and not any(stem.startswith(name) for name in known):
            return f" (an option of {', '.join(others)})"
        return nearest(stem, known).replace("'", "'--", 1)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Raise InputError, which suggests one, for a word that is not among the choices."""
        if action.choices is not None and value not in action.choices:
            name = (action.metavar or action.dest) if not action.option_strings else action.dest
            self.error(unknown(str(name).lower(), value, action.choices))


def parser(functions: Mapping[str, Command]) -> argparse.ArgumentParser:
    """Return the parser of the command line.

    `functions` maps each command to its function, whose first line is its help.
    """
    top = Parser(
        prog="aquant-ref",
        description="AQuant in numpy: learned rounding borders, and an integer-only engine.",
    )
    top.add_argument("--version", action="version", version=f"aquant-ref {__version__}")
    commands: Any = top.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    for each in (top, common):  # before the command, or after it
        each.add_argument("--debug", action="store_true", help="show where an error came from")
        each.add_argument("--threads", type=integer, metavar="N", help="default: one per core")

    def command(name: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        text = (functions[name].__doc__ or "").partition("\n")[0]
        added: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text, parents=[common, *parents]
        )
        added.set_defaults(function=functions[name])
        return added

    _of_networks(command)
    _of_tables(command)
    _of_runs(command)
    command("gen", kit.case_arguments())
    check = command("check", kit.case_arguments(), kit.check_arguments())
    verify = command("verify", kit.verify_arguments())
    check.epilog = verify.epilog = kit.EXIT_CODES
    command("identify", kit.identify_arguments()).epilog = kit.EXIT_CODES_OF_IDENTIFY
    command("prove", proof.prove_arguments()).epilog = proof.EXIT_CODES
    command("vectors", kit.vectors_arguments())
    Parser.commands = commands.choices
    return top


def _of_networks(command: NewCommand) -> None:
    quantize = command("quantize", _data(), _inputs(), _setting(), _published(), _json())
    quantize.add_argument(
        "--lowering", default="threshold", help="threshold (default) or fixed_point"
    )
    quantize.add_argument(
        "--fraction-bits", type=integer, metavar="N", help="of fixed_point: 0 to 16, default 8"
    )
    quantize.add_argument(
        "--profile",
        help="of fixed_point: exact (default), tflite_away, tflite_up, tflite_single, float32, "
        "float64",
    )
    quantize.add_argument(
        "--out", metavar="DIR", help="write model.npz, program.npz and result.json there"
    )
    quantize.add_argument(
        "--signed", action="store_true", help="store activations as signed codes, int8"
    )

    run = command("run", _data("that which DIR was quantized on", None), _dtype(), _json())
    run.add_argument("directory", metavar="DIR", help="what quantize --out wrote")
    run.add_argument("--images", type=integer, metavar="N", help="the first N only")
    run.add_argument("--record", metavar="FILE", help="write every tensor of the run, .npz")
    run.add_argument(
        "--simulate", action="store_true", help="record the simulation, not the engine"
    )

    models = command("models")
    models.add_argument("model", nargs="?", help=f"only this one: {MODEL}")

    train = command("train", _data())
    train.add_argument("model", metavar="MODEL", help=MODEL)
    train.add_argument("--epochs", type=integer, metavar="N", help="default: as on the card")
    train.add_argument("--seed", type=integer, default=0, metavar="N", help="default 0")
    train.add_argument("--out", metavar="FILE", help="default: MODEL-SET.npz")


def _of_tables(command: NewCommand) -> None:
    table = command("table", _data(), _inputs(), _published())
    table.add_argument("--bits", default="W2A2", help="such as W2A2,W32A2 (default: W2A2)")
    table.add_argument(
        "--methods",
        default="rtn,qdrop,qdrop-bias,aquant",
        help="METHOD or METHOD@FORM, joined by commas (default: rtn,qdrop,qdrop-bias,aquant)",
    )
    table.add_argument("--seeds", default="0", help="such as 0,1,2 (default: 0)")
    table.add_argument(
        "--out", required=True, metavar="FILE", help="the table, JSON; Markdown goes beside it"
    )

    claim = command("claim", _data(), _inputs(by_command=True), _setting(), _json())
    claim.add_argument(
        "number", type=integer, metavar="NUMBER", help="1 to 6, as SPEC.md counts them"
    )
    claim.add_argument(
        "--out", metavar="FILE", help="write the picture (.png), the table (.txt) or JSON (.json)"
    )

    fixed = command("fixed-point", _data(), _inputs())
    fixed.add_argument("--bits", default="W2A2", help="such as W2A2,W4A4 (default: W2A2)")
    fixed.add_argument("--method", default="aquant", help="METHOD or METHOD@FORM, default aquant")
    fixed.add_argument(
        "--fraction-bits",
        default="2,4,6,8,10,12,16",
        metavar="LIST",
        help="default: 2,4,6,8,10,12,16",
    )
    fixed.add_argument(
        "--profiles", default="exact", metavar="LIST", help="of requantization, default exact"
    )
    fixed.add_argument("--seed", type=integer, default=0, metavar="N", help="default 0")
    fixed.add_argument("--out", metavar="FILE", help="the table, JSON; Markdown goes beside it")

    exact = command("exact", _data(), _inputs())
    exact.add_argument("--bits", default="W2A2", help="such as W2A2,W4A4 (default: W2A2)")
    exact.add_argument(
        "--lowerings",
        default="threshold,lut,fixed_point",
        metavar="LIST",
        help="default: threshold,lut,fixed_point",
    )
    exact.add_argument("--out", required=True, metavar="FILE", help="the table, JSON and Markdown")


def _of_runs(command: NewCommand) -> None:
    certify = command("certify", _dtype(), _json())
    certify.add_argument("directory", metavar="DIR", help="what quantize --out wrote")

    compare = command("compare", _dtype(), _json())
    compare.add_argument("a", metavar="A", help="a recorded run, as it should be")
    compare.add_argument("b", metavar="B", help="another: of run --record, or named tensors (.npz)")
    compare.add_argument(
        "--program", metavar="DIR", help="what quantize --out wrote; says which layer is to blame"
    )


# What several commands take: parsers to inherit from, each time a new one, since they share actions


def _data(words: str = "shapes", default: str | None = "shapes") -> argparse.ArgumentParser:
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--data",
        default=default,
        metavar="SET",
        help=f"shapes (built in), cifar10:PATH, idx:PATH or folder:PATH (default: {words})",
    )
    return parent


def _inputs(*, by_command: bool = False) -> argparse.ArgumentParser:
    """Return the options of network, weights and effort; `by_command` leaves the effort open."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--model", default="resnet8", help=f"{MODEL} (default: resnet8)")
    for name, default, text in (
        ("--images", 1024, "calibration images"),
        ("--iters", 500, "iterations a block"),
    ):
        parent.add_argument(
            name,
            type=integer,
            default=None if by_command else default,
            metavar="N",
            help=f"{text}, default {'as the claim needs' if by_command else default}",
        )
    parent.add_argument(
        "--weights",
        metavar="FILE",
        help="instead of the shipped ones; resnet18 needs a checkpoint, a network of your own its "
        "arrays by name (.npz, .safetensors)",
    )
    return parent


def _setting() -> argparse.ArgumentParser:
    """One method, its border, bits and seed."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--method", default="aquant", help="aquant (default), rtn, qdrop, ...")
    parent.add_argument(
        "--border",
        default="",
        metavar="FORM",
        help="words joined by /: constant linear quadratic, sigmoid clip, tensor channel row "
        "mixed, off window, zero closed, feedback<r> clipping rounding",
    )
    parent.add_argument(
        "--weight-bits",
        type=integer,
        default=2,
        metavar="N",
        help="1 to 16, or 32 for floating point; default 2",
    )
    parent.add_argument(
        "--act-bits", type=integer, default=2, metavar="N", help="1 to 16, default 2"
    )
    parent.add_argument("--seed", type=integer, default=0, metavar="N", help="default 0")
    return parent


def _published() -> argparse.ArgumentParser:
    """Where the official code of a method differs."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--mixing", default="genie", help="genie (default), or qdrop for its pass as published"
    )
    parent.add_argument(
        "--search", default="", help="for scales: qdrop, brecq or qdrop-all (default: the method's)"
    )
    return parent


def _dtype() -> argparse.ArgumentParser:
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--dtype",
        choices=("float64", "float32"),
        default="float64",
        help="of the simulation (default: float64)",
    )
    return parent


def _json() -> argparse.ArgumentParser:
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--json", action="store_true", help="print JSON, not the table")
    return parent
