"""Select cases: the arguments that `gen`, `check` and the vectors have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

from aquant_ref import oracle
from aquant_ref.checks import word
from aquant_ref.conformance import contract
from aquant_ref.errors import InputError, unknown
from aquant_ref.quant import check_bits, code_range

BITS = (2, 4, 8, 16)
SIGNS = ("unsigned", "signed")
ROUNDINGS = tuple(oracle.ROUNDINGS)
GRANULARITIES = ("tensor", "channel")
SIZES = ("small", "large")
LISTS = ("bits", "signs", "rounding", "granularity")
MOST = 10_000_000  # cases at a time: their answers have to fit in memory; another seed has more


@dataclass(frozen=True)
class Selection:
    """Select a sequence of cases of one operation. Spec: AQ-CONF-2.

    `profile` is one of `Operation.choices`; "" means the first. `rejects` selects inputs that must
    be refused instead of ordinary ones; `edition` selects the kinds of cases that a minor version
    of the vectors added, and `size` those of them with large tensors. InputError names a wrong
    argument.
    """

    operation: str
    profile: str = ""
    bits: tuple[int, ...] = BITS
    signs: tuple[str, ...] = SIGNS
    rounding: tuple[str, ...] = ROUNDINGS
    granularity: tuple[str, ...] = GRANULARITIES
    seed: int = 0
    rejects: bool = False
    edition: int = 0
    size: str = "small"

    def __post_init__(self) -> None:
        for name in LISTS:
            object.__setattr__(self, name, several(name, getattr(self, name)))
        choices = contract.get(self.operation).choices
        if not self.profile:
            object.__setattr__(self, "profile", choices[0])
        check_whole("seed", self.seed)
        check_whole("edition", self.edition, 0, MOST)
        check_words("profile", (self.profile,), choices)
        check_words("size", (self.size,), SIZES)
        check_words("signs", self.signs, SIGNS)
        check_words("rounding", self.rounding, ROUNDINGS)
        check_words("granularity", self.granularity, GRANULARITIES)
        for bits in self.bits:
            check_bits("bits", bits)
        if not self.rules:
            raise InputError(f"rounding: {self.operation} in {self.profile} has no such rule")
        if not self.bits:
            raise InputError("bits: needs at least one")
        if not self.ranges:
            has = contract.get(self.operation).alternatives[self.profile]
            widths = f"{has.narrowest} to {has.bits} bits, {' or '.join(has.signs)}"
            raise InputError(f"bits: {self.operation} in {self.profile} has {widths}")

    @property
    def code_types(self) -> list[tuple[int, bool]]:
        """Return every width that the variation has, with each sign (True: signed)."""
        has_codes = contract.get(self.operation).has_codes
        pairs = [(b, s) for b in self.bits for s in self.signs if has_codes(self.profile, b, s)]
        return [(bits, sign == "signed") for bits, sign in pairs]

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Return (qmin, qmax) of every width and sign that the variation has."""
        return [code_range(bits, signed=signed) for bits, signed in self.code_types]

    def of_one_type(self) -> list[Selection]:
        """Return a selection for each width and sign, if the cases depend on these."""
        if "bits" not in contract.get(self.operation).tags:
            return [self]
        return [
            replace(self, bits=(bits,), signs=("signed" if signed else "unsigned",))
            for bits, signed in self.code_types
        ]

    @property
    def scales(self) -> tuple[str, ...]:
        """Return the granularities of the weights' scales that the variation has."""
        chosen = contract.get(self.operation).alternatives.get(self.profile)
        return ("tensor",) if chosen and chosen.one_scale else self.granularity

    @property
    def rules(self) -> tuple[str, ...]:
        """Return the rules of rounding that the variation is asked with."""
        return contract.get(self.operation).rules_of(self.profile, self.rounding)

    def arguments(self) -> dict[str, str]:
        """Return the arguments that its cases depend on besides the profile, as text, by name."""
        tags = contract.get(self.operation).tags
        chosen = {"seed": str(self.seed)}
        if "bits" in tags:
            chosen["bits"] = ",".join(map(str, self.bits))
            chosen["signs"] = ",".join(self.signs)
        if "rounding" in tags:
            chosen["rounding"] = ",".join(self.rounding)
        if "granularity" in tags:
            chosen["granularity"] = ",".join(self.granularity)
        if self.rejects:
            chosen["rejects"] = "yes"
        if self.edition:
            chosen["edition"] = str(self.edition)
        if self.size != SIZES[0]:
            chosen["size"] = self.size
        return chosen

    def command_line(self) -> str:
        """Return the arguments of `gen` and `check` that select this; defaults are left out."""
        defaults = Selection(self.operation).arguments()
        words = [self.operation]
        if contract.get(self.operation).settings(self.profile):
            words += ["--profile", self.profile]
        for name, value in self.arguments().items():
            if name == "rejects":
                words.append("--rejects")
            elif value != defaults.get(name):
                words += [f"--{name}", value]
        return " ".join(words)


def several(name: str, values: Iterable[Any]) -> tuple[Any, ...]:
    """Return a list as a tuple; InputError names the argument if it is a single value or a text."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"{name}: needs a list, got {values!r}")
    return tuple(values)


def check_whole(name: str, value: Any, low: int | None = None, high: int | None = None) -> None:
    """Raise InputError, which names the argument, unless it is an integer from low to high."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise InputError(f"{name}: needs an integer, got {value!r}")
    if low is not None and high is not None and not low <= int(value) <= high:
        raise InputError(f"{name}: needs {low} to {high}, got {value}")


def check_words(name: str, values: Iterable[Any], known: Collection[str]) -> None:
    """Raise InputError, which names the argument, if the list is empty or has an unknown word."""
    chosen = list(values)
    for each in chosen:
        if name.endswith("s") and isinstance(each, str) and each not in known:
            raise InputError(f"{name}: {unknown(name.removesuffix('s'), each, known)}")
        word(name, each, known)
    if not chosen:
        raise InputError(f"{name}: needs at least one")
