"""The cases of one flag, for the tests of the families."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import families, generate

HALF = Fraction(1, 2)


def members(flag: str, operation: str, profile: str = "", *, n: int = 60, **chosen: Any) -> Cases:
    """The first cases of one flag."""
    selection = Selection(operation, profile, **chosen)
    flags = [family.flag for family in families(selection)]
    return generate(selection, range(flags.index(flag), n * len(flags), len(flags)))


def rows(flag: str, operation: str, profile: str = "", **chosen: Any) -> Iterator[dict[str, Any]]:
    """Each of them as Python numbers, tensors as nested lists."""
    cases = members(flag, operation, profile, **chosen)
    for k in range(len(cases)):
        yield cases.inputs(k)


def arrays(flag: str, operation: str, profile: str = "", **chosen: Any) -> Iterator[dict[str, Any]]:
    """Each of them as an adapter gets it."""
    cases = members(flag, operation, profile, **chosen)
    for k in range(len(cases)):
        yield {name: column[k] for name, column in cases.columns.items()}


def is_tie(steps: Fraction) -> bool:
    """Whether the number is k + 1/2."""
    return steps % 1 == HALF
