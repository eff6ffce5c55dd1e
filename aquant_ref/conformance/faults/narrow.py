"""Wrong ways to unpack weights of 4 or 2 bits, where codes have more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.fault import stepwise
from aquant_ref.conformance.faults.steps import RIGHT
from aquant_ref.typing import Array

Layer = dict[str, Any]
OPERATIONS = ("conv2d", "depthwise", "linear")


def in_the_other_order(weight: Array, each: int) -> Array:
    """Weights of a byte, of which there are `each`, from the other end; the last byte is full."""
    whole = weight.size // each * each
    flat = weight.ravel().copy()
    flat[:whole] = flat[:whole].reshape(-1, each)[:, ::-1].ravel()
    return flat.reshape(weight.shape)


def signed(layer: Layer, bits: int) -> bool:
    """Whether just so many bits hold the signed weights, and not the codes."""
    half, weight = 1 << (bits - 1), layer["weight"]
    fewest = weight.min() == -half and weight.max() == half - 1
    return bool(fewest and not layer["weight_zero"].any() and wide(layer))


def unsigned(layer: Layer, bits: int) -> bool:
    """Whether half the levels are the zero point of all weights."""
    half = 1 << (bits - 1)
    return bool((layer["weight_zero"] == half).all() and layer["weight"].max() < 2 * half)


def wide(layer: Layer) -> bool:
    return bool(layer["x"].max() - layer["x"].min() > 15)


# (name, defect, flag, which weights, how many bits, what is read)
READ: list[tuple[str, str, str, Callable[[Layer, int], bool], int, Callable[[Layer], Layer]]] = [
    (
        "signed nibbles read as unsigned",
        "zero_point.offset",
        "weights_of_4_bits",
        signed,
        4,
        lambda f: {"weight": f["weight"] & 15},
    ),
    (
        "signed nibbles less 8",
        "zero_point.offset",
        "weights_of_4_bits",
        signed,
        4,
        lambda f: {"weight": (f["weight"] & 15) - 8},
    ),
    (
        "the upper nibble first",
        "axis.layout",
        "weights_of_4_bits",
        signed,
        4,
        lambda f: {"weight": in_the_other_order(f["weight"], 2)},
    ),
    (
        "weights of 4 bits clipped to -7",
        "clamp.levels",
        "weights_of_4_bits",
        signed,
        4,
        lambda f: {"weight": np.maximum(f["weight"], -7)},
    ),
    (
        "signed weights of 2 bits read as unsigned",
        "zero_point.offset",
        "weights_of_2_bits",
        signed,
        2,
        lambda f: {"weight": f["weight"] & 3},
    ),
    (
        "weights of 2 bits clipped to -1",
        "clamp.levels",
        "weights_of_2_bits",
        signed,
        2,
        lambda f: {"weight": np.maximum(f["weight"], -1)},
    ),
    (
        "unsigned nibbles read as signed",
        "zero_point.offset",
        "unsigned_weights_of_4_bits",
        unsigned,
        4,
        lambda f: {"weight": (f["weight"] ^ 8) - 8},
    ),
    (
        "zero point of unsigned nibbles dropped",
        "zero_point.cross_terms",
        "unsigned_weights_of_4_bits",
        unsigned,
        4,
        lambda f: {"weight_zero": 0 * f["weight_zero"]},
    ),
]


def unpacked(
    operation: str, has: Callable[[Layer, int], bool], bits: int, read: Callable[[Layer], Layer]
) -> Callable[..., Array]:
    """The operation with weights read otherwise."""

    def layer(**f: Any) -> Array:
        result: Array = getattr(RIGHT, operation)(**{**f, **(read(f) if has(f, bits) else {})})
        return result

    return layer


WRONG = [
    fault
    for operation in OPERATIONS
    for fault in stepwise(
        operation,
        [
            (name, defect, flag, {operation: unpacked(operation, has, bits, read)})
            for name, defect, flag, has, bits, read in READ
        ],
    )
]
