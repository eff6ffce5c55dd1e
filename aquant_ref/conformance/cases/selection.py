"""Which cases: the arguments that `gen`, `check` and the vectors have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from aquant_ref import oracle
from aquant_ref.conformance import contract
from aquant_ref.errors import InputError
from aquant_ref.quant import check_bits, code_range

BITS = (2, 4, 8, 16)
SIGNS = ("unsigned", "signed")
ROUNDINGS = tuple(oracle.ROUNDINGS)
GRANULARITIES = ("tensor", "channel")
LISTS = ("bits", "signs", "rounding", "granularity")
MOST = 10_000_000  # cases at a time: their answers have to fit in memory; another seed has more


@dataclass(frozen=True)
class Selection:
    """A sequence of cases of one operation. Spec: AQ-CONF-2.

    `profile` is one of `Operation.choices`, the first of them if none is given. `rejects` selects
    the inputs that have to be refused instead of the ordinary ones; `edition` the kinds of cases
    that a minor version of the vectors brought. Raises InputError, which names the argument.
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

    def __post_init__(self) -> None:
        for name in LISTS:
            object.__setattr__(self, name, several(name, getattr(self, name)))
        choices = contract.get(self.operation).choices
        if not self.profile:
            object.__setattr__(self, "profile", choices[0])
        check_whole("seed", self.seed)
        check_whole("edition", self.edition, 0, MOST)
        check_words("profile", (self.profile,), choices)
        check_words("signs", self.signs, SIGNS)
        check_words("rounding", self.rounding, ROUNDINGS)
        check_words("granularity", self.granularity, GRANULARITIES)
        for bits in self.bits:
            check_bits("bits", bits)
        if not self.bits:
            raise InputError("bits: there are none")

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """(qmin, qmax) of every width and sign."""
        return [code_range(b, signed=s == "signed") for b in self.bits for s in self.signs]

    def arguments(self) -> dict[str, str]:
        """What an operation of this kind depends on besides its profile, as text, by name."""
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
        return chosen

    def command_line(self) -> str:
        """The arguments of `gen` and `check` that select this; defaults are left out."""
        usual = Selection(self.operation).arguments()
        words = [self.operation]
        if contract.get(self.operation).variations:
            words += ["--profile", self.profile]
        for name, value in self.arguments().items():
            if name == "rejects":
                words.append("--rejects")
            elif value != usual.get(name):
                words += [f"--{name}", value]
        return " ".join(words)


def several(name: str, given: Iterable[Any]) -> tuple[Any, ...]:
    """Return what was given as a tuple; raises InputError, which names the argument, for one alone,
    and for text, the characters of which are not meant.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InputError(f"{name}: needs a list, got {given!r}")
    return tuple(given)


def check_whole(name: str, value: Any, low: int | None = None, high: int | None = None) -> None:
    """Raise InputError, which names the argument, unless it is an integer from low to high."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise InputError(f"{name}: needs an integer, got {value!r}")
    if low is not None and high is not None and not low <= int(value) <= high:
        raise InputError(f"{name}: needs {low} to {high}, got {value}")


def check_words(name: str, given: Iterable[Any], known: Sequence[Any]) -> None:
    """Raise InputError, which names the argument, unless there are some and all are known."""
    chosen = list(given)
    for each in chosen:
        if each not in known:
            raise InputError(f"{name}: {each!r} is not one of {', '.join(map(str, known))}")
    if not chosen:
        raise InputError(f"{name}: there are none")
