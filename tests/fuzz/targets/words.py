"""Doors for words: data sets, methods, borders, settings, whole command lines."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from aquant_ref import data
from aquant_ref.cli import main
from aquant_ref.errors import InputError
from aquant_ref.experiments import grid
from aquant_ref.ptq import Config
from aquant_ref.ptq.border_spec import BorderSpec
from tests.fuzz.mutate import values
from tests.fuzz.mutate.lines import WORDS, pieces
from tests.fuzz.mutate.raw import raw
from tests.fuzz.target import Target, Wrong

SPECS = (
    *(
        "shapes",
        "idx:{folder}",
        "folder:{folder}",
        "cifar10:{folder}/x.tar.gz",
        "idx:",
        ":x",
        "IDX:x",
    ),
    *("folder:/nope", "idx:~", "idx:{folder}/case", "shapes:", "folder:.", "cifar10:{folder}:x"),
)
FORMS = ("linear/clip/row", "constant/sigmoid/tensor/off", "feedback8", "row/window/closed", "")
CELLS = ("aquant W2A2", "aquant@row/window W4A4", "rtn W8A8", "qdrop W32A2", "aquant-joint W3A16")


def _as_text(seeds: tuple[str, ...]) -> dict[str, bytes]:
    return {each or "empty": each.encode() for each in seeds}


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def load_spec(path: Path) -> None:
    """The name of a set, and its images if it is one that is not drawn."""
    spec = _read(path).replace("{folder}", str(path.parent))
    if data.name(spec) not in data.WITH_PATH and spec != "shapes":
        raise Wrong("an unknown set has a name")
    if spec != "shapes":
        data.load(spec, split="test")


def parse_border(path: Path) -> None:
    """A border, written and read again."""
    border = BorderSpec.parse(_read(path))
    if BorderSpec.parse(str(border)) != border:
        raise Wrong("the border that is written and read is another one")


def parse_cell(path: Path) -> None:
    """A method and bits, separated by the first space."""
    method, _, bits = _read(path).partition(" ")
    config = grid.parse(method, bits)
    config.stages()
    config.not_lowered()


def _configs() -> dict[str, bytes]:
    whole = {each.name: each.default for each in fields(Config)}
    given = {"all": whole, "aquant": {"method": "aquant", "border": "row/window", "act_bits": 3}}
    return {name: values.written(value) for name, value in given.items()}


def make_config(path: Path) -> None:
    """Settings of any type under names that exist."""
    given = json.loads(path.read_bytes())
    if not isinstance(given, dict):
        return
    config = Config(
        **{each.name: given[each.name] for each in fields(Config) if each.name in given}
    )
    config.stages()
    config.not_lowered()
    with contextlib.suppress(InputError):
        config.check_images(16)
    json.dumps([getattr(config, each.name) for each in fields(Config)], allow_nan=False).encode()


# Command lines

COMMANDS = (
    "quantize --method aquant --border row --weight-bits 4 --act-bits 4 --images 64 --iters 5",
    "quantize --model mobilenet --data cifar10:{folder} --lowering fixed_point --fraction-bits 8 "
    "--profile exact --out {folder}/out --json --signed",
    "run {folder} --images 5 --record {folder}/a.npz --simulate --dtype float32",
    "models resnet8",
    "train --model resnet8 --data idx:{folder} --epochs 2 --out {folder}/w.npz --seed 3",
    "table --bits W2A2,W4A4 --methods rtn,aquant@row --seeds 0,1 --out {folder}/t.json --threads 1",
    "claim 2 --iters 3 --images 64 --out {folder}/c.png --json",
    "claim 1 --seed 3",
    "fixed-point --bits W2A2 --method aquant --fraction-bits 2,4 --profiles exact --seed 1",
    "fixed-point --method qdrop --out {folder}/f.json",
    "exact --bits W2A2 --lowerings threshold,lut --out {folder}/e.json",
    "certify {folder} --dtype float64 --json",
    "compare {folder}/a.npz {folder}/b.npz --program {folder} --json",
    "gen add --n 5 --seed 2 --bits 4,8 --signs signed --only 3,4",
    "gen requantize --profile exact --n 3 --rejects --edition 1",
    "check clip --n 5 --seed 2 --timeout 5 --junit {folder}/j.xml --html {folder}/p.html --oracle",
    "verify clip round --n 5 --seed 3 --bits 4 --deviations {folder}/d.toml --case clip/x --shrink",
    "verify --pipe ./kernel --exec './kernel {case}' --keep {folder}/kept --granularity tensor",
    "verify --adapter aquant_ref.conformance.adapters:EngineAdapter --json",
    "vectors lint --dir {folder}",
    "--debug --threads 2 models",
)


def _lines() -> dict[str, bytes]:
    return {
        f"{k}. {words.split()[0]}": values.written(shlex.split(words))
        for k, words in enumerate(COMMANDS)
    }


def words(rng: Random, given: bytes) -> bytes:
    """An argument changed, more, less, or one of another command."""
    argv = json.loads(given)
    others = [word for line in COMMANDS for word in line.split()]
    new = rng.choice((rng.choice(others), rng.choice(WORDS), str(rng.choice(values.NUMBERS[:-3]))))
    at = rng.randrange(len(argv) + 1)
    which = rng.randrange(5)
    if which == 0:
        argv.insert(at, new)
    elif which == 1 and argv:
        del argv[at - 1]
    elif which == 2 and argv:
        argv[at - 1] += new
    elif argv:
        argv[at - 1] = new
    return values.written(argv)


class Worked(BaseException):
    """All checks before the work have passed; the work itself is another target's."""


def _work(*args: Any, **options: Any) -> Any:
    raise Worked


@contextlib.contextmanager
def stubbed() -> Iterator[None]:
    """In place of what takes long: the drawn images, learning, training, verification."""
    from aquant_ref.conformance import vectors, verification
    from aquant_ref.conformance.protocol import check_stream
    from aquant_ref.experiments.inputs import Inputs

    with contextlib.ExitStack() as stack:
        for owner, name in (
            (Inputs, "load"),
            (data, "load"),
            (check_stream, "gen"),
            (check_stream, "check"),
            (verification, "verify"),
            (vectors, "generate"),
            (vectors, "lint"),
        ):
            stack.enter_context(mock.patch.object(owner, name, _work))
        stack.enter_context(mock.patch.object(main, "set_threads"))
        yield


def run_command(path: Path) -> None:
    """The command line in this process; it says nothing but what it is for, or one line."""
    argv = [
        str(each).replace("{folder}", str(path.parent)) for each in json.loads(path.read_bytes())
    ]
    said, shown = io.StringIO(), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(shown), stubbed():
            code = main.main([each for each in argv if each != "--debug"])
    except Worked:
        return
    except SystemExit as error:  # argparse: usage and one line
        if error.code not in (0, 2):
            raise Wrong(f"argparse exits with {error.code}") from error
        return
    if code not in (0, 1, 2):
        raise Wrong(f"exit code {code}")
    if code == 2:
        raise InputError(said.getvalue().removesuffix("\n"))


def _target(name: str, seeds: tuple[str, ...], also: str, call: Any, quick: int) -> Target:
    mutators = (pieces((*WORDS, *seeds, *also.split())), raw)
    return Target(name, lambda: _as_text(seeds), mutators, call, names_file=False, quick=quick)


TARGETS = (
    _target("data-spec", SPECS, "/ : ..", load_spec, 60),
    _target("border", FORMS, "/ row feedback", parse_border, 100),
    _target("cell", CELLS, "/ W A @ 32 aquant row", parse_cell, 100),
    Target(
        "config", _configs, (values.tree,), make_config, names_file=False, structured=True, quick=60
    ),
    Target(
        "command-line", _lines, (words,), run_command, names_file=False, structured=True, quick=15
    ),
)
