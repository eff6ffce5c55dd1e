"""Say what an implementation can do, so that the kit asks for that alone. Spec: AQ-CONF-4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aquant_ref.conformance import contract
from aquant_ref.conformance.cases.selection import (
    BITS,
    GRANULARITIES,
    LISTS,
    ROUNDINGS,
    SIGNS,
    Selection,
    check_words,
    several,
)
from aquant_ref.errors import InputError
from aquant_ref.quant import check_bits


@dataclass(frozen=True)
class Capabilities:
    """Declare what an implementation can do; the kit neither asks nor claims anything else.

    The fields are `bits` and `signs` of codes, rules of `rounding`, variations of requantization,
    `granularity` of the weights' scales, and whether it `rejects` the inputs that the contract
    refuses. Most kernels check nothing; the kit then leaves such inputs out. `variations` names the
    alternatives that it computes, such as "quantize:float32"; an operation without one there is
    asked in its own arithmetic. Raises InputError for a word that the contract does not know.
    Spec: AQ-CONF-4.
    """

    bits: tuple[int, ...] = BITS
    signs: tuple[str, ...] = SIGNS
    rounding: tuple[str, ...] = ROUNDINGS
    requantization: tuple[str, ...] = ("exact",)
    granularity: tuple[str, ...] = GRANULARITIES
    rejects: bool = False
    variations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (*LISTS, "requantization", "variations"):
            object.__setattr__(self, name, several(name, getattr(self, name)))
        if not isinstance(self.rejects, bool):
            raise InputError(f"rejects: needs True or False, got {self.rejects!r}")
        variations = dict.fromkeys(
            each for name in contract.OPERATIONS for each in contract.get(name).variations
        )
        check_words("signs", self.signs, SIGNS)
        check_words("rounding", self.rounding, ROUNDINGS)
        check_words("granularity", self.granularity, GRANULARITIES)
        if self.variations:
            check_words("variations", self.variations, contract.EVERY_CHOICE)
        if self.requantization:
            check_words("profile", self.requantization, list(variations))
        for bits in self.bits:
            check_bits("bits", bits)

    def text(self) -> str:
        """Return the text for a claim."""
        return (
            f"rounding {' '.join(self.rounding)}; "
            f"requantization {' '.join(self.requantization) or 'none'}; "
            f"bits {' '.join(map(str, self.bits))} {' '.join(self.signs)}; "
            f"granularity {' '.join(self.granularity)}"
            + f"; variations {' '.join(self.variations)}" * bool(self.variations)
            + "; refusals" * self.rejects
        )

    def choices(self, operation: str) -> list[str]:
        """Return the variations in which to ask an operation."""
        of_operation = contract.get(operation)
        if of_operation.variations:
            return [each for each in of_operation.variations if each in self.requantization]
        named = [c for c in of_operation.choices if f"{operation}:{c}" in self.variations]
        return named or [of_operation.profile]

    def cover(self, asked: Selection) -> bool:
        """Tell whether the declared capabilities include every case of this selection."""
        operation = contract.get(asked.operation)
        needs = {"bits": asked.bits, "signs": asked.signs} if "bits" in operation.tags else {}
        for tag in ("rounding", "granularity"):
            if tag in operation.tags:
                needs[tag] = getattr(asked, tag)
        if operation.variations:
            needs["requantization"] = (asked.profile,)
        declared = all(set(need) <= set(getattr(self, name)) for name, need in needs.items())
        return declared and (self.rejects or not asked.rejects)

    def selections(
        self, operation: str, seed: int, *, rejects: bool = False, edition: int = 0
    ) -> list[Selection]:
        """Return the sequences of cases that together ask for everything declared."""
        chosen: dict[str, Any] = {name: getattr(self, name) for name in LISTS}
        return [
            Selection(operation, profile, **chosen, seed=seed, rejects=rejects, edition=edition)
            for profile in self.choices(operation)
        ]
