"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from aquant_ref.cli import progress
from aquant_ref.errors import InputError
from aquant_ref.evidence.pictures import needs_matplotlib
from aquant_ref.formats.atomic import check_writable_file, write_json_atomic
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
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
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
    if args.json is not None:
        check_writable_file(args.json)
    where, rows = conditions(), []
    for name in names:
        rows += [row.result() for row in BENCHMARKS[name](args.rounds, progress)]
        if args.json is not None:
            write_json_atomic(args.json, {**where, "rounds": args.rounds, "rows": rows})
    print(markdown(rows))
    print(", ".join(f"{name} {version}" for name, version in where["versions"].items()))
    print(f"{where['cores']} cores of {where['processor']}, {args.rounds} rounds")
    return 1 if any(row["ok"] is False for row in rows) else 0
