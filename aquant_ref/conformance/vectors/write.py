"""Write the stored vectors: the first members of every family, for every width, sign and rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aquant_ref.conformance import contract
from aquant_ref.conformance.cases.family import Cases, Family, plain
from aquant_ref.conformance.cases.recipe import digest
from aquant_ref.conformance.cases.selection import ROUNDINGS, SIGNS, SIZES, Selection
from aquant_ref.conformance.cases.sequence import FAMILIES, families, families_of
from aquant_ref.conformance.cases.sequence import generate as cases_of
from aquant_ref.conformance.expected.results import Expected, expected
from aquant_ref.conformance.vectors.read import FORMAT, VECTORS, path_of, version_of
from aquant_ref.formats.atomic import make_directory, replacing

if TYPE_CHECKING:
    from aquant_ref.conformance.contract import Field, Operation

MEMBERS = 24  # of a family, over all groups of an operation, but at least FEWEST in each
FEWEST = 2
MOST_TENSORS = 6
CODES = tuple(
    (bits, (sign,))
    for bits, sign in (
        (2, "unsigned"),
        (4, "signed"),
        (8, "unsigned"),
        (8, "signed"),
        (16, "signed"),
    )
)
CASTS = (8, ("unsigned", "signed"))
# variations of layers with sizes and pairs, and in how many widths; the first has all sizes
SIZED = {"exact": 3, "ideal": 1, "float32": 1}
APART = 4  # the edition that parts variations: asked of each, where float32 parts more twice
GRANULARITY = ("channel", "tensor", "channel")


def generate(directory: Path = VECTORS) -> list[Path]:
    """Write the file of every operation, by the oracle, into `directory`; return their paths.

    The directory is made if it is missing.
    """
    make_directory(directory)
    written = []
    for name in FAMILIES:
        for alternative in ("", *contract.get(name).alternatives):
            path = path_of(directory, name, alternative)
            with replacing(path) as stream:
                stream.write(text(name, alternative).encode())
            written.append(path)
    return written


def text(name: str, alternative: str = "") -> str:
    """Return the file of an operation, one line for each test, so that differences are readable."""
    operation = contract.get(name)
    kinds = families_of(name, alternative)
    selections = _selections(operation, alternative, kinds)
    first = sum(not (s.rejects or s.edition) for s in selections)
    if "rounding" in operation.tags:  # as many as if every rule had a group
        first *= len(ROUNDINGS) // len(operation.rules_of(alternative, ROUNDINGS))
    members = max(FEWEST, (operation.members or MEMBERS) // first)
    if alternative and operation.alternatives[alternative].members:
        members = operation.alternatives[alternative].members
    elif not operation.scalar and (operation.variations or operation.members == 1):
        members = 1
    elif not operation.scalar and not operation.members:
        members = min(members, 1 if alternative else MOST_TENSORS)
    made = [_group(selection, members) for selection in selections]
    groups = [(params, tests) for params, tests in made if tests]
    head = {
        "format": FORMAT,
        "op": name,
        "profile": operation.profile,
        "fields": {f.name: f.signature for f in operation.fields},
        "result": {f.name: f.signature for f in operation.result},
        "spec": [operation.alternatives[alternative].rule] if alternative else [*operation.rules],
        "source": {
            "generator": "aquant-ref vectors generate",
            "version": version_of(name, alternative),
            "seed": 0,
        },
        "notes": {
            f.flag: {"description": f.description, "catches": list(f.catches)} for f in kinds
        },
    }
    body = ",\n".join(
        f'{{"params":{_line(params)},"tests":[\n' + ",\n".join(tests) + "\n]}"
        for params, tests in groups
    )
    return json.dumps(head, indent=1)[:-2] + f',\n "groups": [\n{body}\n]}}\n'


def _selections(
    operation: Operation, alternative: str, kinds: tuple[Family, ...]
) -> list[Selection]:
    """List the selections of each edition in turn, so that existing tests keep their places."""
    name = operation.name
    ordinary = [*_ordinary(operation, alternative)]
    refused = Selection(name, alternative, rejects=True)
    if "granularity" in operation.tags:
        own = "exact" if operation.variations else ""
        bits = operation.alternatives[alternative].bits if alternative else 8
        refused = Selection(name, alternative or own, bits=(bits,), rejects=True)
    return [
        replace(selection, edition=edition, size=size)
        for edition, size in product(sorted({family.edition for family in kinds}), SIZES)
        for selection in (*(ordinary if not edition else _later(ordinary, edition)), refused)
        if any((f.rejects, f.edition, f.size) == (selection.rejects, edition, size) for f in kinds)
    ]


def _later(ordinary: list[Selection], edition: int) -> list[Selection]:
    """Return those of later editions: of a layer 8 and 16 bits, in few of its variations."""
    if "granularity" not in contract.get(ordinary[0].operation).tags:
        return ordinary
    names, own = [*dict.fromkeys(s.profile for s in ordinary)], contract.LAYER_VARIATIONS
    sized = {name: 2 if name == "float32" or name not in own else 1 for name in names}
    counts = sized if edition == APART else SIZED
    kept = [
        s for name in counts for s in [s for s in ordinary if s.profile == name][: counts[name]]
    ]
    return [s if s.bits == (8,) else replace(s, bits=(16,), signs=("signed",)) for s in kept]


def _ordinary(operation: Operation, alternative: str) -> Iterator[Selection]:
    """Yield a selection for each variation, width and rounding rule."""
    if "granularity" in operation.tags:
        yield from _of_alternative(operation, alternative) if alternative else _of_layers(operation)
        return
    if operation.variations and not operation.scalar:
        yield from _of_products(operation)
        return
    choices = (alternative,) if alternative else operation.own
    casts = (CASTS,) * ("casts" in operation.tags)
    least = operation.alternatives[alternative].least if alternative else operation.least
    fitting = [
        (bits, signs)
        for bits, signs in (*CODES, *casts)
        if least <= bits and all(operation.has_codes(alternative, bits, sign) for sign in signs)
    ]
    codes = fitting if "bits" in operation.tags else (None,)
    every = operation.rules_of(alternative, ROUNDINGS)
    rules = every if "rounding" in operation.tags else (None,)
    for profile, code, rule in product(choices, codes, rules):
        chosen: dict[str, Any] = {}
        if code is not None:
            chosen |= {"bits": (code[0],), "signs": code[1]}
        if rule is not None:
            chosen["rounding"] = (rule,)
        yield Selection(operation.name, profile, **chosen)


def _of_layers(operation: Operation) -> Iterator[Selection]:
    """Yield signed and unsigned 8-bit codes of each variation, and one more width in turn."""
    widths = (CODES[0], CODES[1], CODES[4]) if operation.variations else (CODES[4],)
    for k, profile in enumerate(operation.own):
        codes = (CODES[3], CODES[2], widths[k % len(widths)])
        for (bits, signs), granularity in zip(codes, GRANULARITY, strict=True):
            yield Selection(
                operation.name,
                profile,
                bits=(bits,),
                signs=signs,
                granularity=(granularity,),
            )


def _of_alternative(operation: Operation, alternative: str) -> Iterator[Selection]:
    """Yield its codes of the most bits, signed and unsigned, with one granularity in turn."""
    most = operation.alternatives[alternative].bits
    codes = [sign for sign in SIGNS if operation.has_codes(alternative, most, sign)]
    for sign, granularity in zip(codes, GRANULARITY, strict=False):
        selection = Selection(operation.name, alternative, bits=(most,), signs=(sign,))
        yield replace(selection, granularity=(granularity,))


def _of_products(operation: Operation) -> Iterator[Selection]:
    """Yield 8 and 16 bits in the first variation; signed or unsigned codes of 8 in the others."""
    first, *others = operation.own
    for bits, signs in CODES[2:]:
        yield Selection(operation.name, first, bits=(bits,), signs=signs)
    for k, profile in enumerate(others):
        bits, signs = CODES[2 + k % 2]
        yield Selection(operation.name, profile, bits=(bits,), signs=signs)


def _group(selection: Selection, members: int) -> tuple[dict[str, Any], list[str]]:
    operation, taking_turns = contract.get(selection.operation), families(selection)
    first = selection.profile in ("exact", operation.profile)
    whole = first and ("bits" not in operation.tags or selection.ranges == [(-128, 127)])
    fewer = int("bits" not in operation.tags or min(selection.bits) >= 8)
    counts = [(f.stored if whole else fewer) if f.stored else members for f in taking_turns]
    places = range(max(counts) * len(counts))
    cases = cases_of(selection, [k for k in places if k // len(counts) < counts[k % len(counts)]])
    right = expected(cases, oracle=True)
    params = {k: v for k, v in asdict(selection).items() if k not in ("operation", "seed")}
    of_tags = {
        "bits": ("bits", "signs"),
        "rounding": ("rounding",),
        "granularity": ("granularity",),
    }
    for tag, names in of_tags.items():
        if tag not in operation.tags:
            for each in names:
                del params[each]
    defaults = asdict(Selection(selection.operation))
    for key in ("rejects", "edition", "size"):
        if params[key] == defaults[key]:
            del params[key]
    slug = "-".join(_slug(selection, params))
    return params, [_line(test) for test in _tests(slug, cases, right)]


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))  # spaces take a tenth of the room


def _slug(selection: Selection, params: Mapping[str, Any]) -> Iterator[str]:
    operation = contract.get(selection.operation)
    varies = operation.variations and not selection.rejects
    if varies or selection.profile in operation.alternatives:
        yield selection.profile
    if len(params.get("bits", ())) == 1:
        signs = params["signs"] if "casts" in operation.tags else params["signs"][:1]
        yield "".join(sign[0] for sign in signs) + str(params["bits"][0])
    if len(params.get("rounding", ())) == 1:
        yield params["rounding"][0]
    if len(params.get("granularity", ())) == 1:
        yield params["granularity"][0]


def _tests(slug: str, cases: Cases, right: Expected) -> Iterator[dict[str, Any]]:
    name, of_flag = cases.operation.name, dict.fromkeys(cases.flags, 0)
    results = cases.operation.result
    for k in range(len(cases)):
        flags = cases.flags[cases.kind[k]]
        of_flag[flags] += 1
        number = f"{slug}-{of_flag[flags]}" if slug else str(of_flag[flags])
        stored = _plain(cases.operation.fields, cases.inputs(k), short=cases.operation.since > 2)
        for field in cases.operation.fields:
            if (field.name, k) in cases.recipes:
                stored[field.name] = _shorter(
                    stored[field.name], cases.recipes[field.name, k].stored(field.type)
                )
        test = {"id": f"{name}/{flags[0]}/{number}", "flags": list(flags), "in": stored}
        if right.refused[k]:
            yield {**test, "result": "must_reject"}
            continue
        pairs = zip(results, right.low, strict=True)
        values = {f.name: plain(column[k]) for f, column in pairs}
        out = _plain(results, values)
        made = any(place == k for _, place in cases.recipes)
        for field, column in zip(results, right.low, strict=True):
            if made and field.tensor:
                shape = list(column[k].shape)
                out[field.name] = _shorter(
                    out[field.name], {"shape": shape, "sha256": digest(column[k], field.type)}
                )
        most = {f.name: plain(column[k]) for f, column in zip(results, right.high, strict=True)}
        if most == values:
            yield {**test, "out": out, "result": "exact"}
        else:
            ends = {f.name: [out[f.name], most[f.name]] for f in results}
            yield {**test, "out": ends, "result": "bounded"}


def _shorter(value: Any, instead: dict[str, Any]) -> Any:
    """Return what takes less room."""
    return value if len(json.dumps(value)) <= len(json.dumps(instead)) else instead


def _plain(
    fields: tuple[Field, ...], values: Mapping[str, Any], *, short: bool = False
) -> dict[str, Any]:
    return {f.name: _spelled(f, values[f.name], short) for f in fields}


def _spelled(field: Field, value: Any, short: bool) -> Any:
    """Spell reals as C99 hexadecimal, in lists of any depth; short without zeros at the end."""
    if field.type != "f64":
        return value
    if isinstance(value, list):
        return [_spelled(field, each, short) for each in value]
    return re.sub(r"\.?0+p", "p", value.hex()) if short else value.hex()
