"""Provide Hypothesis strategies for inputs of the operations, for your own tests."""

from __future__ import annotations

from aquant_ref.conformance.strategies.scalars import Case, cases, smallest_failure

__all__ = ["Case", "cases", "smallest_failure"]
