"""Wrong steps of sums, pools, thresholds and tables that show at some sizes only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.faults.fault import stepwise
from aquant_ref.conformance.faults.layers import wrapped
from aquant_ref.conformance.faults.pools import mean_of
from aquant_ref.conformance.faults.sizes import (
    before,
    but_each,
    counted_in,
    each_skipped,
    in_blocks,
    kept,
    positions,
    rest_twice,
    saturated,
    swapped_from,
    tail_of,
    whole_blocks,
)
from aquant_ref.conformance.faults.steps import RIGHT
from aquant_ref.typing import Array

if TYPE_CHECKING:
    from aquant_ref.conformance.faults.sizes import Row


def in_tail(change: Callable[[Array, Array], Array], size: int, axis: int | None) -> Any:
    """Add the elements, or the channels, after the last whole register in another way."""

    def added(a: Array, b: Array, _fields: dict[str, Any]) -> Array:
        shape = a.shape if axis is not None else (1, a.size)
        total, other = (each.reshape(shape) for each in (a + b, change(a, b)))
        tail = tail_of(shape[axis or 0] if axis is not None else a.size, size)
        if axis is None:
            total[:, tail] = other[:, tail]
        else:
            total[tail] = other[tail]
        return total.reshape(a.shape)

    return added


def at_most(most: int) -> Callable[..., Array]:
    """A count of thresholds that stops."""
    return lambda values, rows: np.minimum(RIGHT.reached(values, rows), most)


def in_bits(bits: int) -> Callable[..., Array]:
    """A count of thresholds that wraps."""
    return lambda values, rows: RIGHT.reached(values, rows) % (1 << bits)


def first_of(which: Callable[[int], Array]) -> Callable[..., Array]:
    """Compared with some of the thresholds only."""
    return lambda values, rows: RIGHT.reached(values, rows[:, which(rows.shape[1])])


def of_channel(which: Callable[[int], Array]) -> Callable[..., Array]:
    """With the thresholds of other channels."""
    return lambda values, rows: RIGHT.reached(values, rows[which(len(rows))])


def of_places(axis: int, which: Callable[[int], Array]) -> Callable[..., Array]:
    """The accumulators of other rows (axis 1) or columns (axis 2)."""
    return lambda values, rows: RIGHT.reached(
        values.take(which(values.shape[axis]), axis=axis), rows
    )


def sum_in(how: Callable[[Array, int], Array], bits: int) -> Callable[..., Array]:
    """The sum of a window in so many bits."""
    return lambda total, count, f: RIGHT.mean(how(total, bits), count, f)


def by_reciprocal(bits: int) -> Callable[..., Array]:
    """1/count in so many bits."""
    mean = mean_of(lambda t, ratio: int(np.floor(float(t * ratio) + 0.5)))

    def approximate(total: Array, count: Array, f: dict[str, Any]) -> Array:
        reciprocal = (1 << bits) // np.broadcast_to(count, total.shape)
        return mean(total * reciprocal, np.array(1 << bits), f)

    return approximate


def table_rows(count: int) -> Callable[[Array], Array]:
    """The rows of the tables from `count` on again from the first one."""
    return lambda columns: RIGHT.rows(columns) % count


ADD: list[Row] = [
    *(
        (
            f"elements after the last {size} without the second term",
            "tail.elements",
            "elements" if size < 64 else "many_elements",
            {"sum": in_tail(lambda a, b: a, size, None)},
        )
        for size in (8, 16, 32, 64)
    ),
    (
        "channels after the last 16 in reverse order",
        "tail.channels",
        "channels",
        {"sum": in_tail(lambda a, b: (a + b)[::-1], 16, 0)},
    ),
]
WINDOWS: list[Row] = [
    (
        "channels after the last 8 read the one before",
        "tail.channels",
        "channels",
        {"columns": positions(0, before(8))},
    ),
    (
        "columns after the last 16 read the one before",
        "tail.columns",
        "columns",
        {"columns": positions(4, before(16))},
    ),
    ("every 32nd row skipped", "tail.rows", "rows", {"columns": positions(3, each_skipped(32))}),
    (
        "rows after the last 64 read one too early",
        "tail.rows",
        "many_rows",
        {"columns": positions(3, before(64))},
    ),
    (
        "columns of a window after the first 8 left out",
        "tail.elements",
        "windows",
        {"columns": positions(2, whole_blocks(8))},
    ),
]
AVG_POOL: list[Row] = [
    (
        "a sum of 16 bits wraps",
        "accumulator.narrow",
        "large_sums",
        {"mean": sum_in(wrapped, 16)},
    ),
    (
        "a sum of 16 bits saturates",
        "accumulator.narrow",
        "large_sums",
        {"mean": sum_in(saturated, 16)},
    ),
    (
        "at most 255 pixels counted",
        "pool.count",
        "large_windows",
        {"counts": lambda x, f: np.minimum(RIGHT.counts(x, f), 255)},
    ),
    ("1/count in 16 bits", "pool.reciprocal", "large_windows", {"mean": by_reciprocal(16)}),
]
COUNTS: list[Row] = [
    ("at most 15 thresholds reached", "threshold.count", "counts", {"reached": at_most(15)}),
    (
        "thresholds after the last 16 left out",
        "threshold.count",
        "counts",
        {"reached": first_of(whole_blocks(16))},
    ),
]
THRESHOLDS: list[Row] = [
    ("every 32nd row skipped", "tail.rows", "rows", {"reached": of_places(1, each_skipped(32))}),
    ("thresholds counted in uint8", "threshold.count", "many_counts", {"reached": in_bits(8)}),
    ("at most 127 thresholds reached", "threshold.count", "many_counts", {"reached": at_most(127)}),
    ("at most 255 thresholds reached", "threshold.count", "many_counts", {"reached": at_most(255)}),
    ("thresholds counted in a nibble", "threshold.count", "counts", {"reached": in_bits(4)}),
    (
        "channels after the last 8 with thresholds of the one before",
        "tail.channels",
        "channels",
        {"reached": of_channel(before(8))},
    ),
    (
        "columns after the last 32 read the one before",
        "tail.columns",
        "columns",
        {"reached": of_places(2, before(32))},
    ),
    (
        "every 32nd column skipped",
        "tail.columns",
        "columns",
        {"reached": of_places(2, each_skipped(32))},
    ),
]
SUMS: list[Row] = [
    (
        "products after the last 16 left out",
        "tail.products",
        "products",
        {"product": kept(whole_blocks(16))},
    ),
    (
        "products before the last 8 counted twice",
        "tail.products",
        "products",
        {"product": kept(rest_twice(8))},
    ),
    (
        "the last product of every 32 skipped",
        "tail.products",
        "products",
        {"product": kept(but_each(32))},
    ),
    (
        "products counted in uint8",
        "tail.products",
        "many_products",
        {"product": kept(counted_in(8))},
    ),
    (
        "columns after the last 8 read the one before",
        "tail.columns",
        "columns",
        {"columns": positions(4, before(8))},
    ),
]
BORDERED: list[Row] = [
    (
        "sums of 32 products saturate in int16",
        "accumulator.partial",
        "many_products",
        {"product": in_blocks(32, lambda v: saturated(v, 16))},
    ),
    (
        "channels from 32 on with crossings in reverse order",
        "border.channel",
        "outputs",
        {"reached": of_channel(swapped_from(32))},
    ),
]
FUSED: list[Row] = [
    ("rows of tables counted in uint8", "border.row", "many_products", {"rows": table_rows(256)}),
    ("rows of tables after the first 32 again", "border.row", "products", {"rows": table_rows(32)}),
    (
        "sums of fusion in int16",
        "accumulator.narrow",
        "large_fusion",
        {"fused": lambda shares: wrapped(RIGHT.fused(shares), 16)},
    ),
    (
        "sums of fusion saturate in 24 bits",
        "accumulator.narrow",
        "large_fusion",
        {"fused": lambda shares: saturated(RIGHT.fused(shares), 24)},
    ),
]

WRONG = [
    *stepwise("add_tensors", ADD),
    *stepwise("avg_pool2d", [*WINDOWS, *AVG_POOL]),
    *stepwise("max_pool2d", WINDOWS),
    *stepwise("thresholds", [*COUNTS, *THRESHOLDS]),
    *stepwise("bordered_conv2d", [*SUMS, *COUNTS, *BORDERED]),
    *stepwise("fused_conv2d", [*SUMS, *FUSED]),
]
