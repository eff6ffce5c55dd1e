"""Coverage-guided fuzzing with atheris, where the extra `fuzz` is installed.

libFuzzer keeps the cases that reach new code and changes those again, with our mutators. It runs in
a process of its own for each target.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import mmap
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.fuzz.campaign import Tally
from tests.fuzz.target import LARGEST, Case, Finding, Target, attempt, mutate
from tests.fuzz.worker import Found, Limits

COUNTS = struct.Struct("<qq")  # results and refusals
ARTEFACTS = {"timeout": "hang", "oom": "memory", "crash": "crash", "slow": "slow"}


def installed() -> bool:
    """Whether atheris can be imported."""
    return importlib.util.find_spec("atheris") is not None


def run(
    targets: dict[str, Target],
    *,
    seconds: float,
    seed: int,
    jobs: int = 1,
    tell: Callable[[str, float], None] = lambda name, share: None,
) -> dict[str, Tally]:
    """Fuzz one target after the other, each for its share of the time; `jobs` has to be 1."""
    tallies = {name: Tally() for name in targets}
    share = max(1.0, seconds / len(targets))
    with TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as folder:
        for number, (name, tally) in enumerate(tallies.items()):
            _turn(targets[name], Path(folder, name), share, seed, tally)
            tell(name, (number + 1) / len(targets))
    return tallies


def _turn(target: Target, folder: Path, seconds: float, seed: int, tally: Tally) -> None:
    kept, found = folder / "kept", folder / "found"
    kept.mkdir(parents=True)
    found.mkdir()
    for number, data in enumerate(target.made.values()):
        (kept / f"seed-{number}").write_bytes(data)
    (folder / "counts").write_bytes(bytes(COUNTS.size))
    started = time.monotonic()
    words = [target.name, str(folder), str(int(seconds) + 1), str(seed)]
    with (folder / "said").open("wb") as said:
        subprocess.run(
            [sys.executable, "-m", "tests.fuzz.guided", *words], stdout=said, stderr=said
        )
    tally.seconds += time.monotonic() - started
    tally.results, tally.refusals = COUNTS.unpack((folder / "counts").read_bytes())
    for path in sorted(found.iterdir()):
        tally.add(_found(target, path, (folder / "said").read_text(errors="replace")))


def _found(target: Target, path: Path, said: str) -> Found:
    case = Case("grown by coverage", ())
    if path.suffix == ".json":
        stored = json.loads(path.read_bytes())
        finding = Finding(*stored["finding"])
        return Found(target.name, case, finding, base64.b64decode(stored["data"]))
    kind = ARTEFACTS.get(path.name.partition("-")[0], "crash")
    lines = [line.strip() for line in said.splitlines()]
    where = next((line for line in lines if "aquant_ref" in line), kind)
    return Found(target.name, case, Finding(kind, said[-4000:], where), path.read_bytes())


def _child(name: str, folder: Path, seconds: int, seed: int) -> None:
    """Fuzz one target; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["aquant_ref", "reference_models"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    known: set[tuple[str, str]] = set()
    with (folder / "counts").open("r+b") as stream:
        counts = mmap.mmap(stream.fileno(), COUNTS.size)

    def once(data: bytes) -> None:
        outcome = attempt(target, data, folder / "case")
        results, refusals = COUNTS.unpack(counts[:])
        if outcome.finding is None:
            refused = outcome.refusal is not None
            counts[:] = COUNTS.pack(results + (not refused), refusals + refused)
        elif outcome.finding.key not in known:
            known.add(outcome.finding.key)
            each = outcome.finding
            stored = {
                "finding": [each.kind, each.detail, each.where],
                "data": base64.b64encode(data).decode(),
            }
            (folder / "found" / f"{len(known)}.json").write_text(json.dumps(stored))

    def change(data: bytes, most: int, number: int) -> bytes:
        return mutate(target, Random(number), data)[:most]

    limits = Limits()
    options = {
        "max_total_time": seconds,
        "timeout": int(limits.hang),
        "rss_limit_mb": 3 * limits.memory >> 20,
        "max_len": LARGEST,
        "seed": seed % 2**31 or 1,
        "artifact_prefix": f"{folder / 'found'}/",
    }
    words = [sys.argv[0], *(f"-{key}={value}" for key, value in options.items())]
    atheris.Setup([*words, str(folder / "kept")], once, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="One target, for `run`.")
    for each in ("name", "folder", "seconds", "seed"):
        parser.add_argument(each)
    given = parser.parse_args()
    _child(given.name, Path(given.folder), int(given.seconds), int(given.seed))
