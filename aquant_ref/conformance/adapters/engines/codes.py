"""Store the codes and parameters of a case as 8-bit engines do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.conformance.adapters.base import Adapter
from aquant_ref.conformance.cases.family import Cases, blank_results, by_case
from aquant_ref.conformance.protocol.answers import Answers
from aquant_ref.typing import Array, Codes, Integers, Reals

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.selection import Selection

SMALLEST = (
    2.0**-126
)  # the smallest float32 of 24 bits: below it engines flush, divide by 0 or crash
LARGEST = 2.0**126  # its reciprocal is the smallest
REGISTERS = 64  # elements that fill vector registers on every CPU
LANES = REGISTERS + 5  # elements that are asked at once: some are left


class OneByOne(Adapter):
    """Ask an engine for each case alone, since each has parameters of its own.

    A case is asked in many elements of a tensor: it need not be asked at many places as well.
    """

    one_array = True

    def answer(self, selection: Selection, cases: Cases) -> Answers:
        """Ask for the cases one at a time."""
        columns: list[Array] = blank_results(cases.operation, len(cases))
        other: dict[int, tuple[str, str]] = {}
        for k in range(len(cases)):
            one = super().answer(selection, cases.take([k]))
            other |= dict.fromkeys([k] * len(one.other), *one.other.values())
            for column, value in zip(columns, one.values, strict=True):
                column[k] = value[0]
        return Answers(columns, other)


@dataclass(frozen=True)
class Storage:
    """Say whether codes of 8 bits are signed; those of 16 bits are."""

    signed: bool
    bits: int = 8

    @property
    def dtype(self) -> Any:
        """Return the type of numpy."""
        if self.bits == 16:
            return np.int16
        return np.int8 if self.signed else np.uint8

    @property
    def ends(self) -> tuple[int, int]:
        """Return the least and the largest code."""
        least = -(1 << (self.bits - 1)) if self.signed else 0
        return least, least + (1 << self.bits) - 1

    def hold(self, codes: Any) -> Array:
        """Convert codes to the type; NotImplementedError if they do not fit."""
        array = np.asarray(codes)
        low, high = self.ends
        if array.size and (array.min() < low or array.max() > high):
            raise NotImplementedError(f"codes are not of {self.bits} bits")
        return array.astype(self.dtype)


def storage_of(*codes: Any) -> Storage:
    """Return the storage that holds all these codes, unsigned if both do."""
    return Storage(signed=min(int(np.min(each)) for each in codes) < 0)


def scale32(scale: Any) -> Any:
    """Return scales as float32; NotImplementedError unless they and 1/scale are normal numbers.

    No engine says what it does with others: some divide by 0, and XNNPACK ends the process.
    """
    with np.errstate(over="ignore", under="ignore"):
        rounded = np.float32(scale)
    if not np.all((rounded >= SMALLEST) & (rounded <= LARGEST)):
        raise NotImplementedError("a scale is no normal float32")
    return rounded


def whole_bias(bias: Reals, x_scale: float, weight_scale: Reals, bits: int = 32) -> Integers:
    """Return the bias in accumulator steps; NotImplementedError if int32 does not hold it.

    One of 64 bits is exact below 2^53.
    """
    steps = np.rint(bias / (x_scale * weight_scale))
    if bits == 64 and (abs(steps) < 2.0**53).all():
        return steps.astype(np.int64)
    if (abs(steps) > 2**31 - 1).any():
        raise NotImplementedError("the bias is beyond int32")
    return steps.astype(np.int32)


def everywhere(value: Any, dtype: Any) -> Array:
    """Return a vector of one value: engines compute its parts by different instructions."""
    return np.full(LANES, value, dtype)


def unanimous(answers: NDArray[Any]) -> Any:
    """Return the answer that all elements agree on; raise ValueError if they differ."""
    first = answers.flat[0]
    if not (answers == first).all():
        place = int((answers != first).argmax())
        raise ValueError(f"the same input gives {first} at 0 and {answers.flat[place]} at {place}")
    return first


def each(compute: Callable[..., Any], **columns: Array) -> Array:
    """Apply to each case, with its fields as Python numbers."""
    return np.array(by_case(compute, columns))


def clipped(codes: Any, qmin: Any, qmax: Any) -> Codes:
    """Clip to a range within that of the type, such as that of a fused ReLU."""
    return np.clip(np.asarray(codes).astype(np.int64), qmin, qmax)
