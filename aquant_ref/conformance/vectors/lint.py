"""Check the stored vectors: their form, their ids, and that the oracle still agrees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aquant_ref.conformance import contract
from aquant_ref.conformance.cases import features
from aquant_ref.conformance.cases.sequence import FAMILIES, families_of
from aquant_ref.conformance.expected.results import expected
from aquant_ref.conformance.faults import FAULTS
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report.verdict import PASS, texts, verdicts
from aquant_ref.conformance.vectors.read import (
    VECTORS,
    Group,
    load_file,
    path_of,
    read,
    version_of,
)
from aquant_ref.errors import InputError, printable

HEAD = {"format", "op", "profile", "fields", "result", "spec", "source", "notes", "groups"}
RESULTS = {"exact", "bounded", "must_reject"}
MOST_BYTES = 5_000_000


def lint(directory: Path = VECTORS, operations: Iterable[str] | None = None) -> list[str]:
    """Return a line for each thing that is wrong with the files.

    The contents are checked for the files of `operations`, or all.
    """
    wrong = [
        f"{path.name}: is of no operation"
        for path in sorted(directory.glob("*.json"))
        if path not in {path_of(directory, *names) for names in _files(FAMILIES)}
    ]
    for name, alternative in _files(FAMILIES if operations is None else operations):
        path = path_of(directory, name, alternative)
        try:
            wrong += [f"{path.name}: {what}" for what in _of_file(name, alternative, read(path))]
            groups = load_file(name, alternative, directory)
            wrong += [f"{path.name}: {what}" for what in _of_answers(groups)]
            wrong += [f"{path.name}: {what}" for what in _of_features(groups)]
        except InputError as error:
            wrong.append(str(error))
    size = sum(path.lstat().st_size for path in directory.glob("*"))
    return wrong + [f"{directory.name}: has {size} bytes"] * (size > MOST_BYTES)


def _files(operations: Iterable[str]) -> list[tuple[str, str]]:
    """List (operation, alternative) of every file; "" stands for no alternative."""
    return [(name, each) for name in operations for each in ("", *contract.get(name).alternatives)]


def _of_file(name: str, alternative: str, stored: dict[str, Any]) -> Iterator[str]:
    operation = contract.get(name)
    rules = [operation.alternatives[alternative].rule] if alternative else [*operation.rules]
    version = version_of(name, alternative)
    if set(stored) != HEAD:
        yield f"has {sorted(set(stored) ^ HEAD)} too much or too little"
        return
    for key, value in (
        ("op", name),
        ("profile", operation.profile),
        ("fields", {f.name: f.signature for f in operation.fields}),
        ("result", {f.name: f.signature for f in operation.result}),
        ("spec", rules),
    ):
        if stored[key] != value:
            yield f"{key}: is not that of the contract"
    if set(stored["source"]) != {"generator", "version", "seed"}:
        yield "source: needs generator, version and seed"
    elif stored["source"]["version"] != version:
        yield f"source: version {stored['source']['version']} is not {version}"
    yield from _of_notes(stored)
    yield from _of_tests(name, [test for group in stored["groups"] for test in group["tests"]])


def _of_notes(stored: dict[str, Any]) -> Iterator[str]:
    for flag, note in stored["notes"].items():
        unknown = set(note["catches"]) - set(FAULTS)
        if unknown or not note["description"] or not note["catches"]:
            yield f"notes: {flag} says nothing, or catches what is no defect: {sorted(unknown)}"
    used = {flag for group in stored["groups"] for test in group["tests"] for flag in test["flags"]}
    if used != set(stored["notes"]):
        yield f"notes: differ from the flags in use by {sorted(used ^ set(stored['notes']))}"


def _of_tests(name: str, tests: list[dict[str, Any]]) -> Iterator[str]:
    ids = [test["id"] for test in tests]
    if len(set(ids)) != len(ids):
        yield "two tests have one id"
    for test in tests:
        if not test["flags"] or not test["id"].startswith(f"{name}/{test['flags'][0]}/"):
            yield f"{test['id']}: is not <op>/<flag>/<slug>"
        if test["result"] not in RESULTS or ("out" in test) == (test["result"] == "must_reject"):
            yield f"{test['id']}: the result {test['result']!r} does not go with what is there"


def _of_answers(groups: list[Group]) -> Iterator[str]:
    for group in groups:
        try:
            right = expected(group.cases, oracle=True)
        except Exception as error:  # of whatever kind a damaged number makes it
            what = f"{type(error).__name__}: {error}"
            yield printable(f"{group.cases.ids[0]}, or one of its group: has no answer ({what})")
            continue
        refused = dict.fromkeys(np.flatnonzero(right.refused).tolist(), ("error", "a refusal"))
        judged = Answers(right.low, refused)
        for k in np.flatnonzero(verdicts(group.expected, judged) != PASS).tolist():
            oracle, stored = texts(group.expected, judged, k)
            yield f"{group.cases.ids[k]}: says {stored}, the oracle {oracle}"


def _of_features(groups: list[Group]) -> Iterator[str]:
    """Find the cases that have what their family lacks."""
    for group in groups:
        cases, selection = group.cases, group.selection
        if cases.operation.name not in features.STEPS:
            continue
        kinds = {f.flag: f for f in families_of(cases.operation.name, selection.profile)}
        for k, case in enumerate(cases.ids):
            flag = cases.flags[cases.kind[k]][0]
            if flag in kinds and "tie" in kinds[flag].lacks and features.ties_of(cases, k)[0]:
                yield f"{case}: has a tie, which {flag} has not"
