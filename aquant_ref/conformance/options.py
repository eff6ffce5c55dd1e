"""Read the options that say what to ask of an implementation. Spec: AQ-CONF-4.

`--bits 8,quantize:16` is 8 bits for all operations but `quantize`, which has 16. An option replaces
what an adapter declares, but cannot ask for more. What an adapter leaves at its default, such as
variations of requantization, counts as not declared: there the option alone decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aquant_ref.conformance import contract
from aquant_ref.conformance.adapters.capabilities import (
    TAG_OF,
    Capabilities,
    check_variation,
    concerns,
)
from aquant_ref.errors import InputError
from aquant_ref.given import integers, words

if TYPE_CHECKING:
    import argparse

FIELD_OF = {**{name: name for name in TAG_OF}, "profile": "requantization", "sizes": "sizes"}
NAMES = (*FIELD_OF, "variations", "rejects")


def asked_for(
    args: argparse.Namespace, declared: Capabilities, operations: Iterable[str]
) -> Capabilities:
    """Return the declared capabilities with what the options put in their place.

    Raises InputError, which names the option, for an unknown word, and where one of the operations
    is declared for less.
    """
    names = list(operations)
    general: dict[str, Any] = {"rejects": True} if args.rejects else {}
    own = {name: {**fields} for name, fields in declared.by_operation.items()}
    for option, field in FIELD_OF.items():
        text = getattr(args, option)
        if text is None:
            continue
        given = _by_operation(option, text)
        if option == "profile":  # in the place of alternatives, too
            declared = _without_alternatives(declared, given)
        for name in names:
            _check_declared(option, name, given.get(name, given.get("", ())), declared)
        if "" in given:
            general[field] = given.pop("")
            for fields in own.values():
                fields.pop(field, None)
        for name, values in given.items():
            own.setdefault(name, {})[field] = values
    if args.variations is not None:
        general["variations"] = _variations(words("variations", args.variations), declared)
    return replace(declared, **general, by_operation={k: v for k, v in own.items() if v})


def _without_alternatives(declared: Capabilities, given: Iterable[str]) -> Capabilities:
    """Leave out the declared variations of operations that requantize, of all if "" is given."""
    of = [name for name in contract.OPERATIONS if contract.get(name).variations]
    replaced = {name for name in of if "" in given or name in given}
    kept = [each for each in declared.variations if each.partition(":")[0] not in replaced]
    return replace(declared, variations=tuple(kept))


def _by_operation(option: str, text: str) -> dict[str, tuple[Any, ...]]:
    """Return the words by operation; those for all operations under ""."""
    found: dict[str, list[str]] = {}
    for word in words(option, text):
        name, separator, value = word.rpartition(":")
        if separator and not (name and value):
            raise InputError(f"{option}: {word!r} needs an operation before ':', and a word behind")
        if name:
            _check_concerned(option, name)
        found.setdefault(name, []).append(value)
    if option != "bits":
        return {name: tuple(values) for name, values in found.items()}
    return {name: integers(option, ",".join(values)) for name, values in found.items()}


def _check_concerned(option: str, name: str) -> None:
    try:
        concerned = concerns(FIELD_OF[option], name)
    except InputError as error:
        raise InputError(f"{option}: {error}") from error
    if not concerned:
        raise InputError(f"{option}: the cases of {name} do not depend on it")


def _check_declared(option: str, name: str, asked: Sequence[Any], declared: Capabilities) -> None:
    field = FIELD_OF[option]
    has = getattr(declared.of(name), field)
    if not concerns(field, name) or has == getattr(Capabilities(), field):
        return
    more = [each for each in asked if each not in has]
    if option == "profile":
        more = [each for each in more if each in contract.get(name).variations]
    if more:
        declares = ", ".join(map(str, has))
        raise InputError(f"{option}: the adapter declares {declares} for {name}, not {more[0]}")


def _variations(given: Sequence[str], declared: Capabilities) -> tuple[str, ...]:
    """Put the given alternatives of an operation in the place of those declared."""
    for each in given:
        check_variation(each)
    named = {each.partition(":")[0] for each in given}
    kept = [each for each in declared.variations if each.partition(":")[0] not in named]
    for each in given:
        name = each.partition(":")[0]
        has = [one for one in declared.variations if one.partition(":")[0] == name]
        if has and each not in has:
            raise InputError(f"variations: the adapter declares {', '.join(has)}, not {each}")
    return (*kept, *given)
