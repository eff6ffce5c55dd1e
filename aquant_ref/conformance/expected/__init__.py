"""What the right answer is: one function for each operation, in the exact numbers of the oracle.

Each takes the fields of one case by name, as Python numbers and nested lists, and gives the results
as a tuple. It raises `Refused` for an input that the contract refuses. Only the oracle computes
here, and Python's own fractions.
"""

from __future__ import annotations

from aquant_ref.conformance.expected.refusal import Refused

__all__ = ["Refused"]
