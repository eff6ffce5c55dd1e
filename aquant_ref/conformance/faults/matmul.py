"""Wrong ways to multiply two tensors of codes, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.fault import stepwise
from aquant_ref.conformance.faults.layer_apart import exact, with_multiplier
from aquant_ref.conformance.faults.layers import LAYERS
from aquant_ref.conformance.faults.steps import RIGHT
from aquant_ref.typing import Array

Row = tuple[str, str, str, dict[str, Callable[..., Any]]]
WITHOUT = ("bias", "channel", "weights", "axis")  # what only a layer has
FLAGS = {
    "wide_near_tie": "type_end",
    "accumulator_end": "type_end",
}


def of_first_zero(**f: Any) -> Array:
    """The zero point of a taken for both."""
    return RIGHT.matmul(**{**f, "b_zero": f["a_zero"]})


def of_batch(change: Callable[[Array], Array]) -> Callable[..., Array]:
    """With other matrices of b."""
    return lambda **f: RIGHT.matmul(**{**f, "b": change(f["b"])})


def transposed(b: Array) -> Array:
    """The same elements taken for (N, K)."""
    return b.reshape(len(b), b.shape[2], b.shape[1]).transpose(0, 2, 1)


def without_cross_term(**f: Any) -> Array:
    """a*b - zb*a - za*b, and nothing more: za*zb, as often as there are products, is missing."""

    def product(a: Array, b: Array) -> Array:
        return a @ b - f["a_zero"] * f["b_zero"] * a.shape[1]

    return type(RIGHT)("", f["profile"], product=product).matmul(**f)


def narrow_zero_terms(**f: Any) -> Array:
    """Sums of codes, which meet a zero point, in int16."""

    def product(a: Array, b: Array) -> Array:
        rows = (a + f["a_zero"]).sum(axis=1, keepdims=True) - a.shape[1] * f["a_zero"]
        lost = rows - wrapped(rows, 16)
        return a @ b + f["b_zero"] * lost

    return type(RIGHT)("", f["profile"], product=product).matmul(**f)


def in_blocks(size: int) -> Callable[[Array, Array], Array]:
    """Products after the last whole block are left out, where there is one."""

    def product(a: Array, b: Array) -> Array:
        whole = a.shape[1] // size * size or a.shape[1]
        return a[:, :whole] @ b[:whole]

    return product


def columns_in_blocks(size: int) -> Callable[[Array, Array], Array]:
    """Columns and rows after the last whole block repeat the last of it."""

    def product(a: Array, b: Array) -> Array:
        acc = a @ b
        for axis, count in enumerate(acc.shape):
            whole = count // size * size
            if 0 < whole < count:
                acc = np.take(acc, np.minimum(np.arange(count), whole - 1), axis)
        return acc

    return product


def wrapped(v: Array, bits: int) -> Array:
    return (v + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


OWN: list[Row] = [
    ("one zero point for both", "zero_point.missing", "random", {"matmul": of_first_zero}),
    (
        "the product of the zero points is missing",
        "zero_point.cross_terms",
        "random",
        {"matmul": without_cross_term},
    ),
    (
        "the first matrix of b for every batch",
        "axis.batch",
        "random",
        {"matmul": of_batch(lambda b: np.repeat(b[:1], len(b), axis=0))},
    ),
    (
        "the batches of b in reverse",
        "axis.batch",
        "random",
        {"matmul": of_batch(lambda b: b[::-1])},
    ),
    (
        "b read as (columns, products)",
        "axis.layout",
        "random",
        {"matmul": of_batch(transposed)},
    ),
    (
        "the last batch of b is the one before",
        "axis.batch",
        "batch_of_3",
        {"matmul": of_batch(lambda b: b[np.minimum(np.arange(len(b)), max(len(b) - 2, 0))])},
    ),
    (
        "batches from the third on are the second",
        "axis.batch",
        "batch_of_3",
        {"matmul": of_batch(lambda b: b[np.minimum(np.arange(len(b)), 1)])},
    ),
    (
        "sums of codes in int16",
        "zero_point.cross_terms",
        "zero_sums",
        {"matmul": narrow_zero_terms},
    ),
    *(
        (f"products after each {size}", "size.tail", "long", {"product": in_blocks(size)})
        for size in (8, 16, 32)
    ),
    *(
        (f"columns after each {size}", "size.tail", "wide", {"product": columns_in_blocks(size)})
        for size in (8, 16, 32)
    ),
]


def _fitting(row: Row) -> bool:
    name, _, flag, _ = row
    return not any(word in name for word in WITHOUT) and flag not in FLAGS


WRONG = [
    *stepwise("matmul", [*filter(_fitting, LAYERS), *OWN]),
    *stepwise(
        "matmul",
        [
            (
                "the multiplier not rounded to 31 bits",
                "multiplier.reduced",
                "apart",
                {"rescale": with_multiplier("ideal", exact)},
            )
        ],
        "exact",
    ),
]
