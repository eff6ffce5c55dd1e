"""Compute the right answer: one function for each operation, in the exact numbers of the oracle.

Each function takes the fields of one case by name, as Python numbers and nested lists, and returns
the results as a tuple. It raises `Refused` for an input that the contract refuses. Only the oracle
and Python's fractions compute here.
"""

from __future__ import annotations

from aquant_ref.conformance.expected.refusal import Refused

__all__ = ["Refused"]
