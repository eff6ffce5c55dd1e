"""Tell in exact rationals which features a case has, so that a family has those that it says.

A *tie* is a result of k + 1/2 steps before it is rounded. It decides between rules of rounding, so
a family that isolates another fault has none: a kernel with another rule would fail there, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.layer_large import accumulators
from aquant_ref.conformance.cases.recipe import array_of

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom, Draw
    from aquant_ref.conformance.cases.family import Cases, Columns, Family
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.cases.tensors import Row

HALF = Fraction(1, 2)
EDITION = 2
MOST_DRAWS = 200
Fields = Mapping[str, Any]


def _flat(values: Any) -> list[int]:
    return list(np.asarray(array_of(values)).ravel().tolist())


def _round(f: Fields) -> Iterator[Fraction]:
    if np.isfinite(f["t"]):
        yield Fraction(float(f["t"]))


def _quantize(f: Fields) -> Iterator[Fraction]:
    if np.isfinite(f["r"]) and f["scale"] > 0:
        yield Fraction(float(f["r"])) / Fraction(float(f["scale"]))


def _requantize(f: Fields) -> Iterator[Fraction]:
    yield Fraction(int(f["acc"]) * int(f["multiplier"])) / 2 ** int(f["shift"])


def _add(f: Fields) -> Iterator[Fraction]:
    scales = [Fraction(float(f[f"{name}_scale"])) / Fraction(float(f["scale"])) for name in "ab"]
    for a, b in zip(_flat(f["a"]), _flat(f["b"]), strict=True):
        yield (a - int(f["a_zero"])) * scales[0] + (b - int(f["b_zero"])) * scales[1]


def _avg_pool(f: Fields) -> Iterator[Fraction]:
    mean = Fraction(int(f["total"]), int(f["count"])) - int(f["x_zero"])
    yield mean * Fraction(float(f["x_scale"])) / Fraction(float(f["scale"]))


def _avg_pool2d(f: Fields) -> Iterator[Fraction]:
    """Sum the windows one by one."""
    x, (kh, kw) = array_of(f["x"]) - f["x_zero"], _flat(f["kernel"])
    (sh, sw), (dh, dw) = _flat(f["stride"]), _flat(f["dilation"])
    top, bottom, left, right = _flat(f["padding"])
    sides = ((0, 0), (top, bottom), (left, right))
    padded, inside = np.pad(x, sides), np.pad(np.ones_like(x), sides)
    step = Fraction(float(f["x_scale"])) / Fraction(float(f["scale"]))
    for row in range(0, padded.shape[1] - (kh - 1) * dh, sh):
        for column in range(0, padded.shape[2] - (kw - 1) * dw, sw):
            of_rows = slice(row, row + (kh - 1) * dh + 1, dh)
            window = np.s_[:, of_rows, column : column + (kw - 1) * dw + 1 : dw]
            count = kh * kw if f["count_padding"] else int(inside[window][0].sum())
            for total in padded[window].sum(axis=(1, 2)).tolist():
                yield Fraction(total, max(count, 1)) * step


def _layer(f: Fields) -> Iterator[Fraction]:
    row = {k: np.asarray(v) if isinstance(v, tuple) else array_of(v) for k, v in f.items()}
    scales = row["weight_scale"].tolist()
    for sums, s, b in zip(accumulators(row).tolist(), scales, row["bias"].tolist(), strict=True):
        unit, out = Fraction(float(f["x_scale"])) * Fraction(s), Fraction(float(f["scale"]))
        for acc in sums:
            yield (acc * unit + Fraction(b)) / out


STEPS: dict[str, Callable[[Fields], Iterator[Fraction]]] = {
    "round": _round,
    "quantize": _quantize,
    "requantize": _requantize,
    "add": _add,
    "avg_pool": _avg_pool,
    "conv2d": _layer,
    "depthwise": _layer,
    "linear": _layer,
    "add_tensors": _add,
    "avg_pool2d": _avg_pool2d,
}


def ties(steps: Iterable[Fraction]) -> tuple[int, int]:
    """Return how many are ties, and how many there are."""
    found = [step % 1 == HALF for step in steps]
    return sum(found), len(found)


def ties_of(cases: Cases, k: int) -> tuple[int, int]:
    """Return how many results of the k-th case are ties, and how many it has."""
    fields = {name: column[k] for name, column in cases.columns.items()}
    return ties(STEPS[cases.operation.name](fields))


def isolated(
    make: Callable[[CaseRandom, Selection], Row],
) -> Callable[[CaseRandom, Selection], Row]:
    """Draw again as long as a case of an operation that rounds has a tie.

    The function raises AssertionError if that does not end.
    """

    def row(draw: CaseRandom, selection: Selection) -> Row:
        for _ in range(MOST_DRAWS):
            case = make(draw, selection)
            if not _has_ties(selection.operation, case):
                return case
        raise AssertionError(f"{selection.operation}: {make} draws nothing without ties")

    return row


def _has_ties(operation: str, case: Fields) -> bool:
    return operation in STEPS and any(step % 1 == HALF for step in STEPS[operation](case))


def without_ties(operation: str, families: Iterable[Family], *flags: str) -> list[Family]:
    """Return a twin of each family called so, whose cases have no ties. Spec: AQ-CONF-2."""
    by_flag = {family.flag: family for family in families}
    return [
        replace(
            by_flag[flag],
            flag=f"{flag}_without_ties",
            make=_redrawn(operation, by_flag[flag].make),
            description=f"{by_flag[flag].description}; no tie among them",
            edition=EDITION,
            stored=1,
            lacks=("tie",),
        )
        for flag in flags
    ]


def _redrawn(
    operation: str, make: Callable[[Draw, Selection], Columns]
) -> Callable[[Draw, Selection], Columns]:
    """Replace the cases that have ties by those of the next draw, case by case."""

    def columns(draw: Draw, selection: Selection) -> Columns:
        kept = make(draw, selection)
        for attempt in range(MOST_DRAWS):
            cases = ({name: column[k] for name, column in kept.items()} for k in range(len(draw)))
            bad = np.array([_has_ties(operation, case) for case in cases], bool)
            if not bad.any():
                return kept
            again = make(draw.again(attempt), selection)
            kept = {name: np.where(bad, again[name], column) for name, column in kept.items()}
        raise AssertionError(f"{operation}: {make} draws nothing without ties")

    return columns
