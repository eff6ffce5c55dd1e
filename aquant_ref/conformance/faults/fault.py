"""Describe a fault: a wrong implementation of one operation, with its name and its kind."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from aquant_ref.conformance import contract
from aquant_ref.conformance.faults.names import FAULTS
from aquant_ref.conformance.faults.steps import Layers
from aquant_ref.conformance.faults.written import ScalarAdapter, TensorAdapter, Written

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters.base import Adapter

Function = Callable[..., Any]
OF_REQUANTIZATION = {"unit", "bias", "total", "rescale", "after"}  # steps that engines combine


@dataclass(frozen=True)
class Fault:
    """Describe a wrong implementation of one operation.

    `name` is a short plain phrase, which users read. `defect` is its kind, a key of `FAULTS`.
    `flag` is the kind of case that has to find it in the variation `profile`; without a flag it is
    known to the diagnosis alone. Without a profile it is a fault of the first variation.
    """

    operation: str
    name: str
    defect: str
    flag: str
    profile: str = ""

    def __post_init__(self) -> None:
        if not self.profile:
            object.__setattr__(self, "profile", contract.get(self.operation).choices[0])

    def __str__(self) -> str:
        choices = contract.get(self.operation).choices
        of = "" if self.profile == choices[0] else f" ({self.profile})"
        return f"{self.operation}: {self.name}{of}"

    @property
    def sentence(self) -> str:
        """Return what is wrong, in general."""
        return FAULTS[self.defect]

    @cached_property
    def variations(self) -> tuple[str, ...]:
        """List the variations that it can be a fault of."""
        return (self.profile,)

    def adapter(self, profile: str = "") -> Adapter:
        """Return it as an implementation, in one of its variations."""
        raise NotImplementedError


@dataclass(frozen=True)
class ScalarFault(Fault):
    """Compute a result from the fields of a case, by position.

    With an argument `profile` it is a fault of every variation.
    """

    function: Function = field(default=lambda: None, hash=False)

    @cached_property
    def variations(self) -> tuple[str, ...]:
        """List the variations that it can be a fault of."""
        every = "profile" in inspect.signature(self.function).parameters
        return contract.get(self.operation).choices if every else (self.profile,)

    def adapter(self, profile: str = "") -> Adapter:
        """Return it as an implementation, in one of its variations."""
        chosen = profile or self.profile
        every = len(self.variations) > 1
        function = partial(self.function, profile=chosen) if every else self.function
        return ScalarAdapter(Written(self.operation, str(self), function, chosen))


@dataclass(frozen=True)
class StepFault(Fault):
    """Replace some steps of `Layers`; it is a fault of every variation that takes these steps."""

    steps: dict[str, Function] = field(default_factory=dict, hash=False)

    @cached_property
    def variations(self) -> tuple[str, ...]:
        """List the variations that it can be a fault of."""
        operation = contract.get(self.operation)
        if "engine" in self.steps:
            return (self.profile,)
        engines = operation.variations and not self.steps.keys() & OF_REQUANTIZATION
        return operation.choices if engines else operation.own

    def adapter(self, profile: str = "") -> Adapter:
        """Return it as an implementation, in one of its variations."""
        return Layers(str(self), profile or self.profile, **self.steps)


@dataclass(frozen=True)
class TensorFault(Fault):
    """Compute the result of an alternative from the fields of a case, by name."""

    function: Function = field(default=lambda: None, hash=False)

    def adapter(self, profile: str = "") -> Adapter:
        """Return it as an implementation, in its variation."""
        return TensorAdapter(Written(self.operation, str(self), self.function, self.profile))


def scalar(operation: str, rows: Iterable[tuple[str, Function, str, str]]) -> list[Fault]:
    """Return the faults of rows (name, function, defect, flag)."""
    return [
        ScalarFault(operation, name, defect, flag, function=function)
        for name, function, defect, flag in rows
    ]


def of_alternatives(
    operation: str, rows: Iterable[tuple[str, str, Function, str, str]]
) -> list[Fault]:
    """Return the faults of rows (profile, name, function, defect, flag)."""
    return [
        ScalarFault(operation, name, defect, flag, profile, function=function)
        for profile, name, function, defect, flag in rows
    ]


def of_tensors(operation: str, rows: Iterable[tuple[str, str, Function, str, str]]) -> list[Fault]:
    """Return the faults of rows (profile, name, function, defect, flag)."""
    return [
        TensorFault(operation, name, defect, flag, profile, function=function)
        for profile, name, function, defect, flag in rows
    ]


def stepwise(
    operation: str, rows: Iterable[tuple[str, str, str, dict[str, Function]]], profile: str = ""
) -> list[Fault]:
    """Return the faults of rows (name, defect, flag, steps)."""
    return [
        StepFault(operation, name, defect, flag, profile, steps=steps)
        for name, defect, flag, steps in rows
    ]


def of_values(
    name: str,
    defect: str,
    flags: Mapping[int, str],
    values: Iterable[int],
    make: Callable[[int], dict[str, Function]],
) -> list[tuple[str, str, str, dict[str, Function]]]:
    """Return rows for `stepwise`, one for each value, which `name` has in place of {}.

    The stored vectors have to find those that have a flag; the diagnosis knows all.
    """
    each = sorted({*values, *flags})
    return [(name.format(v), defect, flags.get(v, ""), make(v)) for v in each]
