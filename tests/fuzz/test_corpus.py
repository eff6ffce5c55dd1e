from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz import campaign, planted
from tests.fuzz.target import Case, Mutator, Target, attempt
from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import Limits

CORPUS = Path(__file__).parent / "corpus"
STORED = sorted(path for path in CORPUS.glob("*/*") if path.is_file())
SEED = 1


@pytest.mark.parametrize("path", STORED, ids=lambda path: str(path.relative_to(CORPUS)))
def test_a_past_finding_stays_mended(path: Path, tmp_path: Path) -> None:
    outcome = attempt(TARGETS[path.parent.name], path.read_bytes(), tmp_path / "case")
    assert outcome.finding is None, outcome.finding.detail


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_changed_file_gives_a_result_or_one_line(target: Target, tmp_path: Path) -> None:
    for number in range(target.quick):
        case = Case.draw(target, SEED, number)
        outcome = attempt(target, case.data(target), tmp_path / "case")
        assert outcome.finding is None, f"{case}: {outcome.finding.detail}"


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_every_mutator_changes_the_seeds_of_its_target(target: Target) -> None:
    """`mutate` leaves alone what a mutator cannot read, so one that never can would hide."""
    smallest_first = sorted(target.made.values(), key=len)
    for mutator in dict.fromkeys(target.mutators):
        assert any(_changes(mutator, data) for data in smallest_first), mutator


def _changes(mutator: Mutator, data: bytes) -> bool:
    """Whether it changes the data by one of some draws."""
    for number in range(4):
        try:
            if mutator(Random(number), data) != data:
                return True
        except (IndexError, KeyError, ValueError):  # not of a file of this kind, or empty
            continue
    return False


def test_the_stored_corpus_is_small_and_of_targets_that_exist() -> None:
    assert sum(path.stat().st_size for path in STORED) < 300_000
    assert {path.parent.name for path in STORED} <= set(TARGETS)


def test_the_same_numbers_give_the_same_bytes() -> None:
    for name in ("weights", "cifar10-tar", "graph"):
        one, two = (Case.draw(TARGETS[name], 3, 7).data(TARGETS[name]) for _ in range(2))
        assert one == two


def test_planted_faults_are_found_counted_and_written(tmp_path: Path) -> None:
    tallies = campaign.run(
        planted.TARGETS,
        seconds=60,
        seed=1,
        registry="tests.fuzz.planted",
        limits=Limits(memory=50 << 20, hang=1),
        most=1,
    )
    found = {
        name: [each.finding.kind for each in tally.found.values()]
        for name, tally in tallies.items()
    }
    assert found == {name: [kind] if kind else [] for name, (_, kind) in planted.KINDS.items()}
    assert {tally.executions for tally in tallies.values()} == {1}
    written = campaign.write(tmp_path / "findings", tallies, planted.TARGETS)
    assert len(written) == len(planted.KINDS) - 1
    about = written[0].with_name(f"{written[0].name}.txt").read_text(encoding="utf-8")
    assert f"--targets traceback --replay {written[0]}" in about
