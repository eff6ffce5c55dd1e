"""Kills commands at random moments and calls them again: they have to end as if nothing was.

`python -m tests.kill --kills 20` kills each command 20 times, each time once or twice before it may
end, and compares what it then has written with that of a run that nobody killed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import tiny

CLONE = Path(__file__).resolve().parent.parent
SHORT = ["--model", "tiny", "--data", "idx:set", "--weights", "w.npz", "--images", "40"]
ROWS = [*SHORT, "--out", "rows.json"]
COMMANDS = {
    "table": ["table", *ROWS, "--bits", "W2A2,W4A4", "--iters", "20", "--threads", "1"],
    "exact": ["exact", *ROWS, "--bits", "W2A2,W3A3,W4A4", "--iters", "60"],
    "fixed-point": ["fixed-point", *ROWS, "--bits", "W2A2,W3A3,W4A4", "--iters", "60"],
    "train": ["train", "tiny", "--data", "idx:set", "--epochs", "60", "--out", "trained.npz"],
    "quantize": ["quantize", *SHORT, "--out", "saved", "--iters", "200"],
}
CHANGING = ("seconds", "versions")  # in a row or a result: what depends on the moment
LIMIT = 120.0  # seconds for a run


class Wrong(Exception):
    """What a kill has broken."""


def start(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.tiny", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CLONE)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def to_the_end(command: list[str], folder: Path) -> float:
    """Run the command; returns how many seconds that took."""
    started = time.monotonic()
    process = start(command, folder)
    _, error = process.communicate(timeout=LIMIT)
    if process.returncode != 0:
        raise Wrong(f"{command[0]}: ends with {process.returncode}: {error.decode()}")
    return time.monotonic() - started


def written(folder: Path) -> dict[str, Any]:
    """All files but the inputs; of JSON without what depends on the moment."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_dir() or name.parts[0] in ("set", "w.npz", "rows.cells"):
            continue
        if path.suffix == ".json":
            found[str(name)] = _settled(json.loads(path.read_text()))
        elif path.suffix != ".md":  # which has seconds
            found[str(name)] = path.read_bytes()
    return found


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _settled(v) for k, v in value.items() if k not in CHANGING and k != "at"}
    return [_settled(each) for each in value] if isinstance(value, list) else value


def rows(folder: Path) -> list[Any]:
    path = folder / "rows.json"
    finished = json.loads(path.read_text())["rows"] if path.exists() else []
    for cell in (folder / "rows.cells").glob("[!.]*.json"):
        finished.append(json.loads(cell.read_text()))
    return finished


def kill(name: str, count: int, seed: int, place: Path) -> int:
    """Kill the command `count` times, and let it end after every one or two.

    Returns how often it had begun to write. Raises Wrong if it does not end right.
    """
    chance = random.Random(f"{name} {seed}")
    command = COMMANDS[name]
    reference = shutil.copytree(place, place.with_name(f"{name}-reference"))
    seconds = to_the_end(command, reference)
    right = written(reference)
    inputs = len(list(place.rglob("*")))
    kills = begun = 0
    while kills < count:
        folder = shutil.copytree(place, place.with_name(f"{name}-{kills}"))
        finished: list[Any] = []
        for _ in range(min(chance.randint(1, 2), count - kills)):
            moment = seconds * chance.uniform(0.3, 1.0)
            process = start(command, folder)
            try:
                process.communicate(timeout=moment)
                seconds = moment  # it is faster than was thought
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills += 1
                begun += len(list(folder.rglob("*"))) > inputs
            finished = rows(folder)
        to_the_end(command, folder)
        if written(folder) != right:
            raise Wrong(f"{name}: {folder} is not {reference}")
        if litter := [path for path in folder.rglob(".*") if path.suffix in (".tmp", ".lock")]:
            raise Wrong(f"{name}: {litter[0]} is left")
        if any(row not in rows(folder) for row in finished):
            raise Wrong(f"{name}: a finished row of {folder} was computed again")
        shutil.rmtree(folder)
    return begun


def main(arguments: list[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Kill as many times as the arguments say; 1 if something is wrong after that."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="of each command, default 20")
    parser.add_argument("--seed", type=int, default=0, help="of the moments, default 0")
    parser.add_argument("--only", choices=COMMANDS, action="append", help="this command")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "place"
        place.mkdir()
        tiny.write_set(place / "set", 0)
        tiny.write_weights(place / "w.npz", 0)
        for name in args.only or COMMANDS:
            try:
                begun = kill(name, args.kills, args.seed, place)
            except Wrong as error:
                say(f"wrong: {error}")
                return 1
            say(f"{name:<12} {args.kills} kills, {begun} when it had begun to write: all went on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
