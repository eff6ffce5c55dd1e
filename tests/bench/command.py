"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aquant_ref.cli import progress
from aquant_ref.errors import InputError
from aquant_ref.evidence.pictures import needs_matplotlib
from aquant_ref.formats.atomic import check_writable_file, write_json_atomic
from aquant_ref.formats.measured import read_object
from aquant_ref.progress import Progress
from tests.bench import engine, growth, jobs, learning
from tests.bench.conditions import conditions
from tests.bench.rows import Row, markdown

Benchmark = Callable[[int, Progress], list[Row]]

ROUNDS = 7
BENCHMARKS: dict[str, Benchmark] = {
    "engine": engine.beside_others,
    "product": engine.product,
    "border": engine.border,
    "iteration": learning.iteration,
    "job": jobs.main_job,
    "resnet18": jobs.resnet18,
    "start": jobs.start,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit code is 1 if a row does not reach what it at least must."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--only", metavar="NAME[,NAME]", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the rows, keep others there"
    )
    parser.add_argument(
        "--growth",
        type=Path,
        metavar="DIR",
        help=f"instead: how cost grows, into this folder; --only takes {', '.join(growth.GROWING)}",
    )
    args = parser.parse_args(arguments)
    try:
        return _run(args)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(args: argparse.Namespace) -> int:
    if args.list:
        for name, benchmark in BENCHMARKS.items():
            print(f"{name:<10} {(benchmark.__doc__ or '').splitlines()[0]}")
        return 0
    known = list(BENCHMARKS if args.growth is None else growth.GROWING)
    names = known if args.only is None else args.only.split(",")
    for name in names:
        if name not in known:
            raise InputError(f"--only: no {name!r}; there are {', '.join(known)}")
    if args.rounds < 1:
        raise InputError(f"--rounds: needs at least 1, got {args.rounds}")
    if args.growth is not None:
        if args.json is not None:
            raise InputError("--json: --growth writes its own")
        needs_matplotlib()
        check_writable_file(args.growth / growth.FILE)
        print(growth.markdown(growth.grow(args.growth, names, args.rounds, progress)))
        return 0
    where = conditions()
    rows = {} if args.json is None else _stored(args.json, where)
    for name in names:
        rows[name] = [row.result() for row in BENCHMARKS[name](args.rounds, progress)]
        if args.json is not None:
            ordered = [row for each in BENCHMARKS for row in rows.get(each, ())]
            write_json_atomic(args.json, {**where, "rows": ordered})
    measured = [row for name in names for row in rows[name]]
    print(markdown(measured))
    print(", ".join(f"{name} {version}" for name, version in where["versions"].items()))
    print(f"{where['cores']} cores of {where['processor']}")
    return 1 if any(row["ok"] is False for row in measured) else 0


def _stored(path: Path, where: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows of the file by benchmark, which stay unless they are measured again.

    Raises InputError where they are of another machine or other versions, or the file is not ours.
    """
    check_writable_file(path)
    if not path.exists():
        return {}
    content = read_object(path)
    for key, value in where.items():
        if content.get(key) != value:
            raise InputError(f"{path}: its rows are of another machine or version ({key})")
    found: dict[str, list[dict[str, Any]]] = {}
    for row in content["rows"]:
        found.setdefault(row["name"], []).append(row)
    return found
