"""Wrong steps that show at some sizes only: narrow sums, tails of registers, tiles and counters.

Each is made for a number of bits, of elements a block or of channels a tile, so that the diagnosis
can try the numbers that kernels have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.fault import stepwise
from aquant_ref.conformance.faults.layers import bfloat16, wrapped
from aquant_ref.conformance.faults.steps import RIGHT
from aquant_ref.typing import Array

Steps = dict[str, Callable[..., Any]]
Row = tuple[str, str, str, Steps]


def saturated(v: Array, bits: int) -> Array:
    """The nearest number of so many bits."""
    return np.clip(v, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def in_float32(weight: Array, columns: Array) -> Array:
    """Product after product, each sum rounded to float32."""
    return _one_by_one(weight.astype(np.float32), columns.astype(np.float32))


def _one_by_one(weight: Array, columns: Array) -> Array:
    total = np.zeros((len(weight), columns.shape[1]), weight.dtype)
    for w, x in zip(weight.T, columns, strict=True):
        total += w[:, None] * x
    return total.astype(np.int64)


def in_blocks(
    size: int, cut: Callable[[Array], Array], of_total: Callable[[Array], Array] = np.asarray
) -> Callable[..., Array]:
    """`cut` the sum of each block of products, and `of_total` the sum of these sums each time."""

    def product(weight: Array, columns: Array) -> Array:
        total = np.zeros((len(weight), columns.shape[1]), np.int64)
        for k in range(0, len(columns), size):
            part = cut(weight[:, k : k + size] @ columns[k : k + size])
            total = of_total(total + part.astype(np.int64))
        return total

    return product


def cut_to(bits: int, how: Callable[[Array, int], Array]) -> Callable[..., Array]:
    """The whole sum in so many bits."""
    return lambda weight, columns: how(weight @ columns, bits)


def kept(which: Callable[[int], Array]) -> Callable[..., Array]:
    """Only those of the K products whose places `which` returns."""

    def product(weight: Array, columns: Array) -> Array:
        places = which(len(columns))
        return np.asarray(weight[:, places] @ columns[places])

    return product


def whole_blocks(size: int) -> Callable[[int], Array]:
    """But for the rest after the last block; without a block all."""
    return lambda count: np.arange(count - count % size if count > size else count)


def but_each(size: int) -> Callable[[int], Array]:
    """But for the last of each block."""
    return lambda count: np.flatnonzero(np.arange(count) % size != size - 1)


def rest_twice(size: int) -> Callable[[int], Array]:
    """The last block is a whole one that ends at the end: what was there before counts twice."""

    def places(count: int) -> Array:
        whole = count - count % size if count > size else count
        return np.append(np.arange(whole), np.arange(count - size, count)[: count % size and size])

    return lambda count: places(count) if count > size else np.arange(count)


def counted_in(bits: int) -> Callable[[int], Array]:
    """As many as a counter of so many bits says."""
    return lambda count: np.arange(count % (1 << bits) or count)


def tail_of(length: int, size: int) -> slice:
    """The rest after the last whole tile, if there is a tile."""
    return slice(length - length % size if length > size else length, length)


def channels(
    change: Callable[[Array, Array, slice], tuple[Array, Array]], size: int
) -> Callable[..., Array]:
    """Change sums (O, P) and biases (O,) of the channels that are left after the last tile."""

    def total(acc: Array, bias: Array) -> Array:
        acc, bias = change(acc.copy(), bias.copy(), tail_of(len(acc), size))
        return acc + bias[:, None]

    return total


def no_bias(acc: Array, bias: Array, tail: slice) -> tuple[Array, Array]:
    bias[tail] = 0
    return acc, bias


def first_again(acc: Array, bias: Array, tail: slice) -> tuple[Array, Array]:
    """The tail's channels are computed with the weights of the first ones."""
    acc[tail] = acc[: len(acc[tail])]
    return acc, bias


def left_out(acc: Array, bias: Array, tail: slice) -> tuple[Array, Array]:
    """The tail's channels stay at zero."""
    acc[tail], bias[tail] = 0, 0
    return acc, bias


def reversed_tail(acc: Array, bias: Array, tail: slice) -> tuple[Array, Array]:
    acc[tail] = acc[tail][::-1]
    return acc, bias


def bias_of_tile(size: int) -> Callable[..., Array]:
    """The bias of the first tile for every tile."""
    return lambda acc, bias: acc + np.resize(bias[:size], len(bias))[:, None]


def bias_first(size: int) -> Callable[..., Array]:
    """A bias in the first tile of channels only."""
    return lambda acc, bias: acc + np.where(np.arange(len(bias)) < size, bias, 0)[:, None]


def reordered_from(size: int) -> Callable[..., Array]:
    """Channels from `size` on change places in pairs."""

    def total(acc: Array, bias: Array) -> Array:
        order = np.arange(len(acc))
        last = len(acc) - (len(acc) - size) % 2
        if len(acc) > size:
            order[size:last] = order[size:last].reshape(-1, 2)[:, ::-1].reshape(-1)
        return np.asarray((acc + bias[:, None])[order])

    return total


def unit_of_tile(size: int) -> Callable[..., Array]:
    """The scales of the first tile for every tile."""
    return lambda x, w: x * np.resize(w[:size], len(w))


def positions(axis: int, change: Callable[[int], Array]) -> Callable[..., Array]:
    """Take other rows (axis 3) or columns (axis 4) of windows: `change` says which."""

    def columns(x: Array, kernel: Any, stride: Any, dilation: Any) -> Array:
        right = RIGHT.columns(x, kernel, stride, dilation)
        return np.asarray(right.take(change(right.shape[axis]), axis=axis))

    return columns


def before(size: int) -> Callable[[int], Array]:
    """In the tail each is the one before."""

    def change(length: int) -> Array:
        places = np.arange(length)
        places[tail_of(length, size)] -= 1
        return places

    return change


def each_skipped(size: int) -> Callable[[int], Array]:
    """The last of each block is the one before."""
    return lambda length: np.arange(length) - (np.arange(length) % size == size - 1)


def swapped_from(size: int) -> Callable[[int], Array]:
    """From the second block on in reverse order."""

    def change(length: int) -> Array:
        return np.append(np.arange(length)[:size], np.arange(length)[size:][::-1])

    return change


def groups_from(size: int) -> Callable[..., Array]:
    """Groups from `size` on read the group before."""

    def assign(columns: Array, groups: int) -> Array:
        right = RIGHT.assign(columns, groups)
        which = np.arange(groups)
        return np.asarray(right[np.where(which >= size, which - 1, which)])

    return assign


PRODUCTS: list[Row] = [
    ("products summed in float32", "accumulator.float32", "large_sums", {"product": in_float32}),
    *(
        (
            f"a sum of {bits} bits wraps",
            "accumulator.narrow",
            flag,
            {"product": cut_to(bits, wrapped)},
        )
        for bits, flag in ((20, "large_sums"), (22, "large_sums"), (24, "large_sums"))
    ),
    *(
        (
            f"a sum of {bits} bits saturates",
            "accumulator.narrow",
            "large_sums",
            {"product": cut_to(bits, saturated)},
        )
        for bits in (16, 20, 22, 24)
    ),
    *(
        (
            f"sums of {size} products saturate in int16",
            "accumulator.partial",
            flag,
            {"product": in_blocks(size, lambda v: saturated(v, 16))},
        )
        for size, flag in ((4, "large_sums"), (32, "cancelling"))
    ),
    (
        "partial sums of 64 products saturate in 20 bits",
        "accumulator.partial",
        "cancelling",
        {"product": in_blocks(64, np.asarray, lambda v: saturated(v, 20))},
    ),
    (
        "sums of 64 products rounded to bfloat16",
        "accumulator.partial",
        "many_products",
        {"product": in_blocks(64, lambda v: bfloat16(v.astype(np.float64)))},
    ),
    (
        "the lowest bit of each sum of 256 products lost",
        "accumulator.partial",
        "many_products",
        {"product": in_blocks(256, lambda v: v >> 1 << 1)},
    ),
    (
        "the last product of every 32 skipped",
        "tail.products",
        "products",
        {"product": kept(but_each(32))},
    ),
    *(
        (
            f"products after the last {size} left out",
            "tail.products",
            "products" if size < 64 else "many_products",
            {"product": kept(whole_blocks(size))},
        )
        for size in (8, 16, 32, 128)
    ),
    (
        "products before the last 16 counted twice",
        "tail.products",
        "products",
        {"product": kept(rest_twice(16))},
    ),
    (
        "products counted in uint8",
        "tail.products",
        "many_products",
        {"product": kept(counted_in(8))},
    ),
    (
        "products counted in 12 bits",
        "tail.products",
        "many_products",
        {"product": kept(counted_in(12))},
    ),
]
CHANNELS: list[Row] = [
    *(
        (
            f"channels after the last {size} without a bias",
            "tail.channels",
            "channels" if size < 64 else "many_channels",
            {"total": channels(no_bias, size)},
        )
        for size in (8, 16, 64)
    ),
    *(
        (
            f"channels after the last {size} with the first weights",
            "tail.channels",
            "channels",
            {"total": channels(first_again, size)},
        )
        for size in (8, 32)
    ),
    ("channels from 16 on reordered", "tail.order", "channels", {"total": reordered_from(16)}),
    (
        "the bias of the first 16 channels again",
        "bias.tile",
        "channels",
        {"total": bias_of_tile(16)},
    ),
    ("a bias in the first 32 channels only", "bias.tile", "channels", {"total": bias_first(32)}),
    (
        "the scales of the first 256 channels again",
        "axis.scale",
        "many_channels",
        {"unit": unit_of_tile(256)},
    ),
]
POSITIONS: list[Row] = [
    *(
        (
            f"columns after the last {size} read one too early",
            "tail.columns",
            "columns",
            {"columns": positions(4, before(size))},
        )
        for size in (8, 16, 32)
    ),
    (
        "columns from 64 on in reverse order",
        "tail.order",
        "columns",
        {"columns": positions(4, swapped_from(63))},
    ),
    ("every 32nd row skipped", "tail.rows", "rows", {"columns": positions(3, each_skipped(32))}),
    (
        "rows after the last 8 read one too early",
        "tail.rows",
        "rows",
        {"columns": positions(3, before(8))},
    ),
    (
        "rows after the last 64 read one too early",
        "tail.rows",
        "many_rows",
        {"columns": positions(3, before(64))},
    ),
]
GROUPS: list[Row] = [
    (
        f"groups from {size} on read the one before",
        "tail.groups",
        "many_groups",
        {"assign": groups_from(size)},
    )
    for size in (8, 32)
]

WRONG = [
    *stepwise("conv2d", [*PRODUCTS, *CHANNELS, *POSITIONS, *GROUPS], "exact"),
    *stepwise("depthwise", [*CHANNELS, *POSITIONS], "exact"),
    *stepwise("linear", [*PRODUCTS, *CHANNELS], "exact"),
]
