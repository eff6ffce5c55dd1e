"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from aquant_ref.cli import progress
from aquant_ref.errors import InputError
from aquant_ref.formats.atomic import check_writable_file, write_json_atomic
from aquant_ref.progress import Progress
from aquant_ref.versions import versions
from tests.bench import engine, growth, learning, processes
from tests.bench.rows import Row, markdown

Benchmark = Callable[[int, Progress], list[Row]]

ROUNDS = 7
BENCHMARKS: dict[str, Benchmark] = {
    "engine": engine.beside_others,
    "product": engine.product,
    "border": engine.border,
    "iteration": learning.iteration,
    "job": processes.job,
    "resnet18": processes.resnet18,
    "start": processes.start,
}
PEERS = ("ai-edge-litert", "onnxruntime", "onnx", "torch")


def conditions() -> dict[str, Any]:
    """Versions, peers among them, and the processor."""
    found = versions()
    for name in PEERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return {"versions": found, "cores": os.cpu_count(), "processor": processor()}


def processor() -> str:
    """What the system says of it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line for line in lines if line.startswith("model name"))
        return name.partition(":")[2].strip()
    except (OSError, StopIteration):
        return platform.processor()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit code is 1 if a row does not reach what it at least must."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", help=f"joined by commas, of {', '.join(BENCHMARKS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--growth", type=Path, help="instead: how cost grows, into this folder")
    args = parser.parse_args(arguments)
    try:
        return _run(args)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(args: argparse.Namespace) -> int:
    if args.growth is not None:
        check_writable_file(args.growth / "growth.json")
        growth.write(growth.sweep(progress), args.growth)
        return 0
    names = list(BENCHMARKS) if args.only is None else args.only.split(",")
    for name in names:
        if name not in BENCHMARKS:
            raise InputError(f"--only: no {name!r}; there are {', '.join(BENCHMARKS)}")
    if args.rounds < 1:
        raise InputError(f"--rounds: needs at least 1, got {args.rounds}")
    if args.json is not None:
        check_writable_file(args.json)
    rows: list[dict[str, Any]] = []
    for name in names:
        rows += [row.result() for row in BENCHMARKS[name](args.rounds, progress)]
        if args.json is not None:
            content = {**conditions(), "rounds": args.rounds, "rows": rows}
            write_json_atomic(args.json, content)
    print(markdown(rows))
    where = conditions()
    print(", ".join(f"{k} {v}" for k, v in where.pop("versions").items()))
    print(f"{where['cores']} cores of {where['processor']}, {args.rounds} rounds")
    return 1 if any(row["ok"] is False for row in rows) else 0
