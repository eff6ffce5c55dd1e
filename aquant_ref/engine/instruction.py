"""One step of an integer program, and what every module of the engine needs to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.typing import Array, Integers

Shape = tuple[int, ...]  # of a tensor without its batch axis: (C, H, W) or (C,)
Range = tuple[int, int]  # the least and the largest code of a tensor
Bounds = tuple[Integers, Integers]  # least and largest value of each channel, (C,) int64

IMAGE = "image"
LEAST_CODE, LARGEST_CODE = -(2**15), 2**16 - 1
NEVER_LIFT = -(2**30)  # a lift below every sum of fusion and every polynomial
THRESHOLD_UNREACHED = 2**62  # no accumulator reaches it, and all reach its negative


@dataclass(frozen=True)
class Instruction:
    """One step: tensor `name` is `op` of the tensors `inputs`."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)


def need(name: str, holds: bool, otherwise: str) -> None:
    """Raise InputError, which names the instruction, unless a condition `holds`."""
    if not holds:
        raise InputError(f"{name}: {otherwise}")


def code_type(least: int, largest: int) -> str | None:
    """Choose the dtype that codes least..largest are stored in; None if there is none.

    Spec: AQ-AFFINE-5.
    """
    for name in ("int8", "int16") if least < 0 else ("uint8", "uint16"):
        if np.iinfo(name).min <= least and largest <= np.iinfo(name).max:
            return name
    return None
