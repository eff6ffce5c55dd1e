"""Proofs: a library function called with every input of a range, against the exact steps."""

from __future__ import annotations
