"""Say what an implementation can do, so that the kit asks for that alone. Spec: AQ-CONF-4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from aquant_ref.checks import shown, word
from aquant_ref.conformance import contract
from aquant_ref.conformance.cases.selection import (
    BITS,
    GRANULARITIES,
    LISTS,
    ROUNDINGS,
    SIGNS,
    SIZES,
    Selection,
    check_words,
    several,
)
from aquant_ref.errors import InputError, unknown
from aquant_ref.quant import check_bits

TAG_OF = {"bits": "bits", "signs": "bits", "rounding": "rounding", "granularity": "granularity"}
REQUANTIZATION = tuple(
    dict.fromkeys(each for name in contract.OPERATIONS for each in contract.get(name).variations)
)


def concerns(name: str, operation: str) -> bool:
    """Tell whether the cases of an operation depend on this field of `Capabilities`."""
    if name == "requantization":
        return bool(contract.get(operation).variations)
    if name == "sizes":
        return not contract.get(operation).scalar
    return name not in TAG_OF or TAG_OF[name] in contract.get(operation).tags


def check_variation(text: Any) -> None:
    """Raise InputError unless the text is "operation:choice" for an operation with alternatives."""
    if text in contract.EVERY_CHOICE:
        return
    some = "needs words such as quantize:float32"
    if not isinstance(text, str) or ":" not in text:
        raise InputError(f"variations: {some}, got {shown(text)}")
    name, _, choice = text.partition(":")
    try:
        choices = contract.get(name).choices
    except InputError as error:
        raise InputError(f"variations: {error}") from error
    if not contract.get(name).alternatives:
        raise InputError(f"variations: {name} has no alternatives; {some}")
    raise InputError(f"variations: {unknown(f'variation of {name}', choice, choices)}")


@dataclass(frozen=True)
class Capabilities:
    """Declare what an implementation can do; the kit neither asks nor claims anything else.

    The fields are `bits` and `signs` of codes, rules of `rounding`, variations of requantization,
    `granularity` of the weights' scales, and whether it `rejects` the inputs that the contract
    refuses. Most kernels check nothing; the kit then leaves such inputs out. `variations` names the
    alternatives that it computes, such as "quantize:float32"; an operation without one there is
    asked in its own arithmetic, or in the variations of requantization. `sizes` are those of
    tensors: a slow simulator may have "small" alone. `by_operation` replaces fields for one
    operation. Raises InputError for a word that the contract does not know. Spec: AQ-CONF-4.

    >>> both = Capabilities(bits=(8, 16), by_operation={"conv2d": {"bits": (8,)}})
    >>> both.of("conv2d").bits, both.of("quantize").bits
    ((8,), (8, 16))
    """

    bits: tuple[int, ...] = BITS
    signs: tuple[str, ...] = SIGNS
    rounding: tuple[str, ...] = ROUNDINGS
    requantization: tuple[str, ...] = ("exact",)
    granularity: tuple[str, ...] = GRANULARITIES
    rejects: bool = False
    variations: tuple[str, ...] = ()
    sizes: tuple[str, ...] = SIZES
    by_operation: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*LISTS, "requantization", "variations", "sizes"):
            object.__setattr__(self, name, several(name, getattr(self, name)))
        if not isinstance(self.rejects, bool):
            raise InputError(f"rejects: needs True or False, got {self.rejects!r}")
        check_words("signs", self.signs, SIGNS)
        check_words("rounding", self.rounding, ROUNDINGS)
        check_words("granularity", self.granularity, GRANULARITIES)
        check_words("sizes", self.sizes, SIZES)
        for each in self.variations:
            check_variation(each)
        if self.requantization:
            check_words("profile", self.requantization, REQUANTIZATION)
        for bits in self.bits:
            check_bits("bits", bits)
        if not isinstance(self.by_operation, Mapping):
            raise InputError(f"by_operation: needs a dict, got {self.by_operation!r}")
        for name in self.by_operation:
            self._check_own(name)

    def _check_own(self, operation: str) -> None:
        """Raise InputError unless these fields concern the operation, and have known words."""
        of_operation, own = contract.get(operation), self.by_operation[operation]
        if not isinstance(own, Mapping):
            raise InputError(f"by_operation: {operation} needs a dict, got {own!r}")
        known = [f.name for f in fields(self) if f.name not in ("variations", "by_operation")]
        for name in own:
            word("by_operation", name, known)
            if not concerns(name, operation):
                raise InputError(f"{name}: the cases of {operation} do not depend on it")
        chosen = several("requantization", own.get("requantization", ()))
        if chosen:
            check_words("profile", chosen, of_operation.variations)
        try:
            self.of(operation)
        except InputError as error:
            raise InputError(f"{error}, for {operation}") from error

    def of(self, operation: str) -> Capabilities:
        """Return those of one operation."""
        return replace(self, by_operation={}, **self.by_operation.get(operation, {}))

    def choices(self, operation: str) -> list[str]:
        """Return the variations in which to ask an operation."""
        of_operation = contract.get(operation)
        named = [c for c in of_operation.choices if f"{operation}:{c}" in self.variations]
        if named:
            return named
        if of_operation.variations:
            declared = self.of(operation).requantization
            return [each for each in of_operation.variations if each in declared]
        return [of_operation.profile]

    def cover(self, asked: Selection) -> bool:
        """Tell whether the declared capabilities include every case of this selection."""
        operation, own = contract.get(asked.operation), self.of(asked.operation)
        needs = {
            name: getattr(asked, name) for name, tag in TAG_OF.items() if tag in operation.tags
        }
        declared = all(set(need) <= set(getattr(own, name)) for name, need in needs.items())
        if operation.variations:
            declared &= asked.profile in self.choices(asked.operation)
        return declared and (own.rejects or not asked.rejects) and asked.size in own.sizes

    def selections(
        self,
        operation: str,
        seed: int,
        *,
        rejects: bool = False,
        edition: int = 0,
        size: str = SIZES[0],
    ) -> list[Selection]:
        """Return the sequences of cases that together ask for everything declared."""
        own = self.of(operation)
        chosen: dict[str, Any] = {name: getattr(own, name) for name in LISTS}
        chosen |= {"seed": seed, "rejects": rejects, "edition": edition, "size": size}
        has_codes = contract.get(operation).has_codes
        return [
            Selection(operation, profile, **chosen)
            for profile in self.choices(operation)
            if any(has_codes(profile, bits, sign) for bits in own.bits for sign in own.signs)
        ]
