"""Speed and memory, measured beside what people would use instead."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aquant_ref.claims.pictures import needs_matplotlib
from aquant_ref.cli.commands import progress
from aquant_ref.cli.main import INTERRUPTED
from aquant_ref.errors import InputError
from aquant_ref.formats.atomic import check_writable_file, make_directory, write_json_atomic
from aquant_ref.formats.kinds import Each, fits
from aquant_ref.formats.lock import locked
from aquant_ref.formats.measured import OWN, check, read_object
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


NEEDED = {"name": str, "work": str, "beside": str}  # what a stored row has
ENDS = "ends with 1 if a row does not reach what it at least must, with 2 if it cannot run"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit code is as ENDS says, or 130 for Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__, epilog=ENDS)
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
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept", file=sys.stderr)
        return INTERRUPTED


def _run(args: argparse.Namespace) -> int:
    if args.list:
        for name, benchmark in BENCHMARKS.items():
            print(f"{name:<10} {(benchmark.__doc__ or '').splitlines()[0]}")
        return 0
    known = list(BENCHMARKS if args.growth is None else growth.GROWING)
    names = known if args.only is None else list(dict.fromkeys(args.only.split(",")))
    for name in names:
        if name not in known:
            raise InputError(f"--only: no {name!r}; there are {', '.join(known)}")
    if args.rounds < 1:
        raise InputError(f"--rounds: needs at least 1, got {args.rounds}")
    where = conditions()
    if args.growth is not None:
        if args.json is not None:
            raise InputError("--json: --growth writes its own")
        needs_matplotlib()
        make_directory(args.growth)
        same = {**where, **growth.settings(args.rounds)}
        before = _stored(args.growth / growth.FILE, same, "growth", Each(growth.POINTS))
        content = {**same, "growth": {}, **before}
        grown = growth.grow(args.growth, content, names, args.rounds, progress)
        print(growth.markdown(grown, str(args.growth)))
        _print(where)
        return 0
    if args.json is not None:
        _rows(args.json, where)  # refused before the work
    measured: list[dict[str, Any]] = []
    for name in names:
        new = [row.result() for row in BENCHMARKS[name](args.rounds, progress)]
        measured += new
        if args.json is not None:
            with locked(args.json):  # another process may have added rows
                content, rows = _rows(args.json, where)
                rows[name] = new
                ordered = [row for each in rows.values() for row in each]
                write_json_atomic(args.json, {**content, **where, "rows": ordered})
    print(markdown(measured))
    _print(where)
    return 1 if any(row["ok"] is False for row in measured) else 0


def _rows(
    path: Path, where: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """What the file holds, and its rows by benchmark."""
    content = _stored(path, where, "rows", list)
    rows: dict[str, list[dict[str, Any]]] = dict.fromkeys(BENCHMARKS, [])
    for row in content.get("rows", ()):
        check(path, row, NEEDED)
        rows[row["name"]] = [*rows.get(row["name"], ()), row]
    return content, rows


def _print(where: Mapping[str, Any]) -> None:
    print(", ".join(f"{name} {version}" for name, version in where["versions"].items()))
    print(f"{where['cores']} cores of {where['processor']}")


def _stored(path: Path, where: Mapping[str, Any], key: str, kind: Any) -> dict[str, Any]:
    """What the file holds, to which is added; nothing if it is not there.

    Raises InputError where it was measured elsewhere or otherwise than `where` says, or has no
    `key` of that kind.
    """
    check_writable_file(path)
    if not path.exists():
        return {}
    content = read_object(path)
    if not fits(content.get(key), kind):
        raise InputError(f"{path}: has no {key!r}; {OWN}")
    for name, value in where.items():
        if content.get(name) != value:
            here = "" if isinstance(value, dict) else f" {value!r}, there {content.get(name)!r}"
            raise InputError(f"{path}: was measured otherwise (here {name}{here}); {OWN}")
    return content
