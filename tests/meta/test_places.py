"""Kernels that are wrong in one lane of a register, or after the last whole one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import OPERATIONS, Adapter, verification, verify
from aquant_ref.conformance.adapters.engine import EngineAdapter
from aquant_ref.conformance.cases.family import Cases
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.faults.catalogue import CATALOGUE
from aquant_ref.conformance.faults.fault import Fault
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.conformance.report.report import EXIT_MISMATCH
from aquant_ref.typing import Array, Mask

WIDTHS = (8, 16, 32, 64)
Places = Callable[[Array, int], Mask]  # of an array of so many
STEPS = ("round.", "clamp.", "zero_point.", "border.", "threshold.", "multiplier.")
SCALAR = [name for name, operation in OPERATIONS.items() if operation.scalar]


def of_each_step() -> list[Fault]:
    """The first fault of each operation in each step: rounding, clip, zero point..."""
    of_scalar = [f for f in CATALOGUE if f.operation in SCALAR and f.defect.startswith(STEPS)]
    first = {(f.operation, f.defect.split(".")[0]): f for f in reversed(of_scalar)}
    return sorted(first.values(), key=str)


class Placed(Adapter):
    """Right, but for a fault at some places; it notes the places where the fault shows."""

    def __init__(self, fault: Fault, places: Places = lambda place, _: place >= 0) -> None:
        self.right, self.wrong = EngineAdapter(), fault.adapter()
        self.places, self.shown = places, list[tuple[int, int]]()

    def capabilities(self) -> Any:
        return self.wrong.capabilities()

    def supports(self, operation: str) -> bool:
        return self.wrong.supports(operation)

    def answer(self, selection: Selection, cases: Cases) -> Answers:
        right, wrong = (each.answer(selection, cases) for each in (self.right, self.wrong))
        place = np.arange(len(cases))
        chosen = self.places(place, len(cases))
        differ = np.zeros(len(cases), bool)
        columns = []
        for a, b in zip(right.values, wrong.values, strict=True):
            differ |= a != b
            columns.append(np.where(chosen, b, a))
        self.shown += [(int(k), len(cases)) for k in np.flatnonzero(differ)]
        return Answers(columns, right.other)


FAULTY = of_each_step()


@cache
def fault(name: str) -> Fault:
    """Return the fault with this name."""
    return next(f for f in CATALOGUE if str(f) == name)


@pytest.mark.parametrize("faulty", FAULTY, ids=str)
def test_the_vectors_alone_show_a_fault_in_every_lane_and_in_every_tail(
    faulty: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "diagnoses", lambda *_: {})
    kernel = Placed(faulty)
    verify(kernel, operations=[faulty.operation], generated=0)
    place, length = np.array(kernel.shown).T
    for width in WIDTHS:
        assert set((place % width).tolist()) == set(range(width))
        assert (place >= length - length % width).any()


def lane(number: int, width: int) -> Places:
    return lambda place, _: place % width == number


def tail(width: int) -> Places:
    return lambda place, length: place >= length - length % width


@pytest.mark.parametrize("name", ["requantize: half_even", "mul: a level too many"])
@pytest.mark.parametrize(
    ("words", "places"),
    [
        *((f"lane {k} of {w}", lane(k, w)) for w, k in ((8, 0), (16, 5), (32, 31), (64, 40))),
        *((f"tail after {w}", tail(w)) for w in (8, 16)),
    ],
)
def test_a_wrong_place_is_found_and_named(name: str, words: str, places: Places) -> None:
    kernel = Placed(fault(name), places)
    report = verify(kernel, operations=[name.split(":")[0]], generated=0)
    assert report.exit_code == EXIT_MISMATCH
    (found,) = report.diagnoses.values()
    assert [each.name for each in found] == [words]
    assert f"explained by: {words} (" in report.text()


def test_a_case_that_is_wrong_in_one_lane_is_wrong_when_it_is_asked_alone() -> None:
    kernel = Placed(fault("requantize: half_even"), lane(40, 64))
    case = "requantize/tie/exact-s8-1"
    assert verify(kernel, operations=["requantize"], only=[case]).exit_code == EXIT_MISMATCH
