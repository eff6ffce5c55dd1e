"""What the contract refuses."""

from __future__ import annotations

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


class Refused(Exception):
    """The input is outside the contract: an implementation has to refuse it."""


def need(holds: bool) -> None:
    """Raise Refused unless it holds."""
    if not holds:
        raise Refused
