"""Implementations written one case at a time, as they are in C, and as adapters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aquant_ref.conformance.adapters.base import Adapter
from aquant_ref.conformance.adapters.capabilities import Capabilities
from aquant_ref.conformance.cases.family import by_case
from aquant_ref.conformance.contract import OPERATIONS


@dataclass(frozen=True)
class Written:
    """One operation, as a function of its fields by position (and of `profile`, which is bound)."""

    operation: str
    name: str
    function: Callable[..., Any]
    profile: str = ""

    def __str__(self) -> str:
        return f"{self.operation}: {self.name}"


class ScalarAdapter(Adapter):
    """An adapter with one operation. It computes case by case: the place of a case is nothing."""

    one_array = True

    def __init__(self, written: Written) -> None:
        self.name = str(written)
        self._profile = written.profile
        self._operation = OPERATIONS[written.operation]
        fields = [field.name for field in OPERATIONS[written.operation].fields]

        def method(profile: str = "", **given: Any) -> Any:
            texts = [given[f] for f in fields if isinstance(given[f], str)]
            columns = {f: given[f] for f in fields if not isinstance(given[f], str)}
            answers = by_case(lambda **row: written.function(*texts, *row.values()), columns)
            if isinstance(answers[0], tuple):
                return tuple(np.array(column) for column in zip(*answers, strict=True))
            return np.array(answers)

        setattr(self, written.operation, method)

    def capabilities(self) -> Capabilities:
        if self._profile in self._operation.alternatives:
            return Capabilities(variations=(f"{self._operation.name}:{self._profile}",))
        if self._profile in self._operation.variations:
            return Capabilities(requantization=(self._profile,))
        return Capabilities()


class TensorAdapter(Adapter):
    """An adapter with one operation in one alternative, computed from its fields by name."""

    def __init__(self, written: Written) -> None:
        self.name = str(written)
        operation = OPERATIONS[written.operation]
        named = f"{written.operation}:{written.profile or operation.choices[0]}"
        self._variations = (named,) * bool(operation.alternatives)
        setattr(self, written.operation, lambda profile="", **f: written.function(**f))

    def capabilities(self) -> Capabilities:
        return Capabilities(variations=self._variations)
