"""Offer what follows from a case: the width and sign of its codes, and its bias in integers.

Methods that name `bits`, `signed` or `bias_int` get them; `desc.json` has them. Spec: AQ-CONF-11.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.family import Cases
    from aquant_ref.conformance.cases.selection import Selection

OF_CODES = ("bits", "signed")
BIAS = "bias_int"
UNKNOWN = -1


class Offered:
    """Find the width and sign of each case in `types`, a position in `pairs` or UNKNOWN."""

    def __init__(self, selection: Selection, cases: Cases) -> None:
        self._cases = cases
        self.pairs = selection.code_types
        self.types = _types(selection, cases)

    def of(self, k: int) -> dict[str, Any]:
        """Return bits, sign and integer bias of the k-th case, None for what it does not have."""
        which = int(self.types[k])
        bits, signed = (None, None) if which == UNKNOWN else self.pairs[which]
        return {"bits": bits, "signed": signed, BIAS: self._bias(k)}

    def _bias(self, k: int) -> Array | None:
        """Return the bias in units of x_scale*weight_scale, int64; None unless all are whole."""
        columns = self._cases.columns
        if not {"bias", "x_scale", "weight_scale"} <= columns.keys():
            return None
        unit = Fraction(float(columns["x_scale"][k]))
        pairs = zip(columns["bias"][k].tolist(), columns["weight_scale"][k].tolist(), strict=True)
        whole = [Fraction(bias) / (unit * Fraction(scale)) for bias, scale in pairs]
        if any(each.denominator != 1 or abs(each) >= 2**63 for each in whole):
            return None
        return np.array([int(each) for each in whole], np.int64)


def _types(selection: Selection, cases: Cases) -> Array:
    """Return the only type selected, or that whose range a case has; a ReLU may leave it open."""
    if "bits" not in cases.operation.tags:
        return np.full(len(cases), UNKNOWN)
    if len(selection.ranges) == 1:
        return np.zeros(len(cases), np.int64)
    types = np.full(len(cases), UNKNOWN)
    if {"qmin", "qmax"} <= cases.columns.keys():
        for which, (low, high) in enumerate(selection.ranges):
            types[(cases.columns["qmin"] == low) & (cases.columns["qmax"] == high)] = which
    return types


def named(method: Callable[..., Any]) -> tuple[frozenset[str], bool]:
    """Return the keywords that a method names, and whether it takes any other as well."""
    try:
        parameters = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):  # of a function in C
        return frozenset(), True
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    rest = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)
    return frozenset(each.name for each in parameters if each.kind in kinds), rest
