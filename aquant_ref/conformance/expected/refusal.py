"""Refuse inputs outside the contract."""

from __future__ import annotations

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


class Refused(Exception):
    """Say that the input is outside the contract: an implementation must refuse it."""


def need(holds: bool) -> None:
    """Raise Refused unless `holds`."""
    if not holds:
        raise Refused
