"""Fuzz every door: `python -m tests.fuzz --minutes 60 --out findings`.

Each case is a well-formed file that is changed with knowledge of its format, so that changes come
through to what lies behind checksums. Anything but a result or a refusal of one line is a finding:
another exception, a warning, control characters, more than 5 s or 1 GiB, a file left behind, a
result that is another one after saving and loading, a crash, a hang. Cases are drawn from a seed,
so the same seed gives the same cases. A finding goes to `tests/fuzz/corpus` once it is mended.

With `--guided` cases are grown by coverage (pip install 'aquant-ref[fuzz]'); without it each is
drawn on its own. Ends with 1 if there is a finding, with 2 if it cannot run.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from aquant_ref.threads import use_one_blas_thread

use_one_blas_thread()  # before numpy is imported, here and in the children

from aquant_ref.errors import InputError  # noqa: E402
from aquant_ref.formats.atomic import (  # noqa: E402
    check_writable_directory,
    check_writable_file,
    write_json_atomic,
)
from tests.fuzz import campaign, guided  # noqa: E402
from tests.fuzz.target import Target, attempt  # noqa: E402
from tests.fuzz.targets import TARGETS  # noqa: E402


def main(given: Sequence[str] | None = None) -> int:
    """Run what was asked for; returns the exit code."""
    args = _parser().parse_args(given)
    if args.list:
        print("\n".join(TARGETS))
        return 0
    names = list(TARGETS) if args.targets is None else args.targets.split(",")
    for name in names:
        if name not in TARGETS:
            print(f"--targets: no {name!r}; --list says what there is", file=sys.stderr)
            return 2
    targets = {name: TARGETS[name] for name in names}
    if args.replay:
        return _replay(targets, args.replay)
    if args.guided and (args.jobs != 1 or not guided.installed()):
        print("--guided: needs pip install 'aquant-ref[fuzz]', and --jobs 1", file=sys.stderr)
        return 2
    try:
        return _fuzz(targets, args)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, metavar="N", help="default 1")
    parser.add_argument("--targets", metavar="A,B", help="default: all")
    parser.add_argument("--list", action="store_true", help="say which targets there are")
    parser.add_argument("--seed", type=int, metavar="S", help="default: another one each time")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="processes, default 1")
    parser.add_argument("--out", type=Path, default=Path("findings"), metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there")
    parser.add_argument("--replay", nargs="+", type=Path, metavar="FILE", help="run these alone")
    parser.add_argument("--guided", action="store_true", help="by coverage, with atheris")
    return parser


def _fuzz(targets: dict[str, Target], args: argparse.Namespace) -> int:
    from tqdm import tqdm

    if args.json:
        check_writable_file(args.json)
    check_writable_directory(args.out)
    seed = secrets.randbits(32) if args.seed is None else args.seed
    print(f"seed {seed}", file=sys.stderr)
    started = time.monotonic()
    run = guided.run if args.guided else campaign.run
    with tqdm(total=100, unit="%", disable=not sys.stderr.isatty(), leave=False) as bar:

        def tell(name: str, share: float) -> None:
            bar.set_description(f"{name:<22}")
            bar.update(100 * share - bar.n)

        tallies = run(targets, seconds=60 * args.minutes, seed=seed, jobs=args.jobs, tell=tell)
    print(campaign.table(tallies, list(targets)))
    for path in campaign.write(args.out, tallies, targets):
        print(f"finding: {path}, see {path.name}.txt")
    if args.json:
        content = {
            "seed": seed,
            "minutes": round((time.monotonic() - started) / 60, 2),
            "guided": args.guided,
            "targets": {name: tally.row() for name, tally in tallies.items()},
        }
        write_json_atomic(args.json, content)
    return 1 if any(tally.found for tally in tallies.values()) else 0


def _replay(targets: dict[str, Target], files: Sequence[Path]) -> int:
    """Run stored cases in this process, by each of the targets, and say what comes of them."""
    found = 0
    with TemporaryDirectory(prefix="fuzz-") as folder:
        for file in files:
            for target in targets.values():
                outcome = attempt(target, file.read_bytes(), Path(folder, "case"))
                said = "a result" if outcome.refusal is None else f"refused: {outcome.refusal!a}"
                if outcome.finding is not None:
                    found += 1
                    said = f"FINDING {outcome.finding.kind}: {outcome.finding.detail}"
                print(f"{file} by {target.name}: {said}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
