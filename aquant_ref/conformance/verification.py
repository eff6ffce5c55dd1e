"""Verify an adapter: the stored vectors first, then generated cases. Spec: AQ-CONF-3."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref import __version__
from aquant_ref.conformance import contract, vectors
from aquant_ref.conformance.adapters import placing
from aquant_ref.conformance.adapters.asking import Asked
from aquant_ref.conformance.adapters.command import CommandAdapter
from aquant_ref.conformance.cases.selection import MOST, Selection, check_whole, several
from aquant_ref.conformance.cases.sequence import FAMILIES, families, families_of, generate
from aquant_ref.conformance.diagnosis.diagnose import diagnoses
from aquant_ref.conformance.diagnosis.evidence import Collected
from aquant_ref.conformance.expected.results import expected
from aquant_ref.conformance.protocol.answers import without
from aquant_ref.conformance.report.deviations import Deviations
from aquant_ref.conformance.report.kept import Kept
from aquant_ref.conformance.report.report import Report
from aquant_ref.conformance.report.run import described
from aquant_ref.conformance.report.verdict import difference, verdicts
from aquant_ref.conformance.vectors import Group
from aquant_ref.errors import InputError, counted, nearest, printable

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters import Adapter, Capabilities

GENERATED = 1000  # cases of a scalar operation and variation, besides the vectors
FEWER_TENSORS = 10  # so many times fewer of an operation on tensors
MOST_OTHER = 10  # generated of a family that has to be refused, or that came later
MOST_TENSORS = {"small": 3, "large": 1}  # likewise, of a family of tensors
SEED = 1  # not that of the vectors


def verify(
    adapter: Adapter,
    *,
    capabilities: Capabilities | None = None,
    operations: Iterable[str] | None = None,
    generated: int = GENERATED,
    seed: int = SEED,
    deviations: Deviations | None = None,
    only: Sequence[str] = (),
    command: str = "",
    keep: str | Path | None = None,
) -> Report:
    """Ask the adapter for every case that it declares itself capable of, and report.

    `capabilities` replaces what it declares. `only` runs the cases with these ids. `command` is the
    shell command that repeats this run; without one, a failure names the call. Wrong cases are kept
    in the directory `keep`. Raises InputError for an unknown operation or id, for one that this
    adapter cannot be asked, if the adapter cannot start or declares nonsense, and if `keep` cannot
    be written to.
    """
    check_whole("generated", generated, 0, MOST)
    check_whole("seed", seed)
    only = several("case", only)
    for each in only:
        if not isinstance(each, str):
            raise InputError(f"case: unknown id {each!r}")
    if not isinstance(deviations, Deviations | None):
        raise InputError(f"deviations: needs the result of `load`, got {deviations!r}")
    asked, known = Asked(adapter, capabilities), deviations or Deviations()
    names = names_of(asked, operations)
    kept = _kept(adapter, keep)
    asked.start()
    whole = " ".join([command or "verify(adapter)", *(names if operations is not None else ())])
    run = described(whole, seed)
    report = Report("", asked.name, run, hints=asked.slips())

    defaults = {"generated": (generated, GENERATED), "seed": (seed, SEED)}
    more = "".join(f", {k}={v}" for k, (v, default) in defaults.items() if v != default)

    def again(case: str) -> str:
        return f"{command} --case {case}" if command else f"verify(adapter, only=[{case!r}]{more})"

    left, ids = set(only), list[str]()
    for name in names:
        supported = asked.supports(name)
        found: dict[str, Collected] = defaultdict(Collected)
        groups = groups_of(asked.capabilities, name, generated if supported else 0, seed)
        for turn, (group, stored) in enumerate(groups):
            chosen = _only(group, only)
            ids += group.cases.ids if left else []
            if chosen is None:
                continue
            cases, right = chosen.cases, chosen.expected
            left -= set(cases.ids)
            declared = supported and asked.capabilities.cover(chosen.selection)
            answers, placed = without(cases, "skip", "not declared"), None
            if declared:
                answers, placed = placing.ask(asked, chosen, turn, stored=stored)
            off = partial(difference, right, answers)
            status = known.apply(cases, verdicts(right, answers), off)
            report.add(cases, right, answers, status, again, declared=declared)
            report.passed.add(chosen.selection, cases, right, status)
            if kept is not None:
                kept.add(chosen.selection, cases, right, answers, status)
            found[cases.profile].add(cases, right, answers, status, placed)
        report.diagnoses |= diagnoses(name, found)
    if left:
        raise InputError(f"case: unknown id {min(left)!r}{nearest(min(left), ids)}")
    report.about = _about({_count_of(name, generated) for name in names if report.answered(name)})
    report.problems = asked.problems()
    report.known = list(map(printable, known.applied()))
    if not only:
        report.stale = list(map(printable, known.stale()))
    return report


def _about(counts: set[int]) -> str:
    """Say what is asked, with so many generated cases of an operation."""
    about = f"aquant_ref {__version__} vectors {vectors.VERSION}"
    if any(counts):
        most, *fewer = sorted(counts, reverse=True)
        about += f" and {counted(most, 'generated case')} of each"
        about += "".join(f", {count} of each on tensors" for count in fewer)
    return about


def _kept(adapter: Adapter, keep: str | Path | None) -> Kept | None:
    """Return what keeps wrong cases; a command that keeps its directories has them there."""
    folders = adapter.folders if isinstance(adapter, CommandAdapter) else None
    return Kept(keep or "", folders) if keep is not None or folders is not None else None


def names_of(adapter: Asked, operations: Iterable[str] | None) -> list[str]:
    """Return the operations to ask; InputError names one that this adapter cannot be asked."""
    if operations is None:
        return [name for name in FAMILIES if adapter.reaches(contract.get(name))]
    chosen = [contract.get(name) for name in several("operations", operations)]
    if not chosen:
        raise InputError("operations: needs at least one")
    for each in chosen:
        if not adapter.reaches(each):
            scalar, tensors = "is scalar; ask by --pipe", "a stream has no tensors; ask by --exec"
            raise InputError(f"{each.name}: {scalar if each.scalar else tensors}")
    return list(dict.fromkeys(each.name for each in chosen))


def groups_of(
    capabilities: Capabilities, name: str, generated: int, seed: int
) -> Iterator[tuple[Group, bool]]:
    """Yield the groups to ask, and whether they are stored."""
    of_name, choices = contract.get(name), capabilities.choices(name)
    # one way to compute an operation is enough: the other alternatives are not missing
    variations = () if set(choices) & set(of_name.alternatives) else of_name.variations
    for group in vectors.load(name):
        if group.selection.profile in (*choices, *variations):
            yield group, True
    if not generated:
        return
    generated = _count_of(name, generated)
    of_choices = [f for c in capabilities.choices(name) for f in families_of(name, c)]
    own = capabilities.of(name)
    for rejects, edition, size in sorted({(f.rejects, f.edition, f.size) for f in of_choices}):
        if (rejects and not own.rejects) or size not in own.sizes:
            continue
        kind: dict[str, Any] = {"rejects": rejects, "edition": edition, "size": size}
        for selection in capabilities.selections(name, seed, **kind):
            of_profile = families_of(name, selection.profile)
            if (rejects, edition, size) not in {(f.rejects, f.edition, f.size) for f in of_profile}:
                continue
            ordinary = not rejects and not edition
            each = MOST_OTHER if contract.get(name).scalar else MOST_TENSORS[size]
            most = generated if ordinary else each * len(families(selection))
            for group in _generated(selection, min(generated, most)):
                yield group, False


def _count_of(name: str, generated: int) -> int:
    return generated if contract.get(name).scalar else -(-generated // FEWER_TENSORS)


def _generated(selection: Selection, count: int) -> Iterator[Group]:
    """Yield so many cases, in groups of one width and sign, which a method may ask for."""
    alike = selection.of_one_type()
    for each, places in zip(alike, np.array_split(np.arange(count), len(alike)), strict=True):
        if not len(places):
            continue
        cases = generate(each, places)
        ids = [
            f"{each.operation}/{cases.flags[kind][0]}/{each.profile}-seed{each.seed}-{k}"
            for k, kind in zip(places.tolist(), cases.kind.tolist(), strict=True)
        ]
        yield Group(each, replace(cases, ids=ids), expected(cases))


def _only(group: Group, ids: Sequence[str]) -> Group | None:
    if not ids:
        return group
    chosen = [k for k, name in enumerate(group.cases.ids) if name in ids]
    if not chosen:
        return None
    return Group(group.selection, group.cases.take(chosen), group.expected.take(chosen))
