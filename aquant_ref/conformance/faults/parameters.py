"""Faults of layers and thresholds with a parameter, for every number that wrong answers allow.

A tail or block shows only where there is more than that: so the smallest wrong case bounds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aquant_ref.conformance.faults import sizes, table_sizes
from aquant_ref.conformance.faults.fault import StepFault
from aquant_ref.conformance.faults.layers import wrapped

Sizes = dict[str, int]  # the least products, channels, rows, columns, groups of a wrong case
DENSE = 130  # up to here every number, beyond it multiples of 16
Make = Callable[[int], dict[str, Callable[..., Any]]]

# (name, defect, which size bounds it, how it is made)
SIZED: list[tuple[str, str, str, Make]] = [
    (
        "products after the last {} left out",
        "tail.products",
        "products",
        lambda n: {"product": sizes.kept(sizes.whole_blocks(n))},
    ),
    (
        "the last product of every {} skipped",
        "tail.products",
        "products",
        lambda n: {"product": sizes.kept(sizes.but_each(n))},
    ),
    (
        "products before the last {} counted twice",
        "tail.products",
        "products",
        lambda n: {"product": sizes.kept(sizes.rest_twice(n))},
    ),
    (
        "only the first {} products",
        "tail.products",
        "products",
        lambda n: {"product": lambda w, x: w[:, :n] @ x[:n]},
    ),
    (
        "sums of {} products saturate in int16",
        "accumulator.partial",
        "products",
        lambda n: {"product": sizes.in_blocks(n, lambda v: sizes.saturated(v, 16))},
    ),
    (
        "channels after the last {} left out",
        "tail.channels",
        "channels",
        lambda n: {"total": sizes.channels(sizes.left_out, n)},
    ),
    (
        "channels after the last {} without a bias",
        "tail.channels",
        "channels",
        lambda n: {"total": sizes.channels(sizes.no_bias, n)},
    ),
    (
        "channels after the last {} with the first weights",
        "tail.channels",
        "channels",
        lambda n: {"total": sizes.channels(sizes.first_again, n)},
    ),
    (
        "channels after the last {} in reverse order",
        "tail.order",
        "channels",
        lambda n: {"total": sizes.channels(sizes.reversed_tail, n)},
    ),
    (
        "channels from {} on reordered",
        "tail.order",
        "channels",
        lambda n: {"total": sizes.reordered_from(n)},
    ),
    (
        "the bias of the first {} channels again",
        "bias.tile",
        "channels",
        lambda n: {"total": sizes.bias_of_tile(n)},
    ),
    (
        "a bias in the first {} channels only",
        "bias.tile",
        "channels",
        lambda n: {"total": sizes.bias_first(n)},
    ),
    (
        "the scales of the first {} channels again",
        "axis.scale",
        "channels",
        lambda n: {"unit": sizes.unit_of_tile(n)},
    ),
    (
        "columns after the last {} read one too early",
        "tail.columns",
        "columns",
        lambda n: {"columns": sizes.positions(4, sizes.before(n))},
    ),
    (
        "columns from {} on in reverse order",
        "tail.order",
        "columns",
        lambda n: {"columns": sizes.positions(4, sizes.swapped_from(n))},
    ),
    (
        "every {}th column skipped",
        "tail.columns",
        "columns",
        lambda n: {"columns": sizes.positions(4, sizes.each_skipped(n))},
    ),
    (
        "rows after the last {} read one too early",
        "tail.rows",
        "rows",
        lambda n: {"columns": sizes.positions(3, sizes.before(n))},
    ),
    (
        "every {}th row skipped",
        "tail.rows",
        "rows",
        lambda n: {"columns": sizes.positions(3, sizes.each_skipped(n))},
    ),
    (
        "groups from {} on read the one before",
        "tail.groups",
        "groups",
        lambda n: {"assign": sizes.groups_from(n)},
    ),
]
BITS = range(8, 32)
OF_BITS: list[tuple[str, str, Make]] = [
    (
        "a sum of {} bits wraps",
        "accumulator.narrow",
        lambda n: {"product": sizes.cut_to(n, wrapped)},
    ),
    (
        "a sum of {} bits saturates",
        "accumulator.narrow",
        lambda n: {"product": sizes.cut_to(n, sizes.saturated)},
    ),
    (
        "a sum of {} bits with its bias wraps",
        "bias.overflow",
        lambda n: {"total": lambda acc, bias: wrapped(acc + bias[:, None], n)},
    ),
    (
        "a sum of {} bits with its bias saturates",
        "bias.overflow",
        lambda n: {"total": lambda acc, bias: sizes.saturated(acc + bias[:, None], n)},
    ),
    (
        "partial sums saturate in {} bits",
        "accumulator.partial",
        lambda n: {
            "product": sizes.in_blocks(1, lambda v: v, lambda v: sizes.saturated(v, n)),
        },
    ),
]
COUNTS: list[tuple[str, str, Make]] = [
    (
        "at most {} thresholds reached",
        "threshold.count",
        lambda n: {"reached": table_sizes.at_most(n)},
    ),
    (
        "only the first {} thresholds",
        "threshold.count",
        lambda n: {"reached": table_sizes.first_of(lambda _: slice(n))},  # type: ignore[arg-type, return-value]
    ),
]
LAYERS = ("conv2d", "depthwise", "linear")


def faults(operation: str, profile: str, least: Sizes) -> Iterator[StepFault]:
    """Yield faults for the sizes of the smallest wrong cases; without one of a size none of it."""
    rows: list[tuple[str, str, Make, Iterable[int]]] = []
    if operation in LAYERS:
        rows += [(n, d, make, _up_to(least.get(size, 0))) for n, d, size, make in SIZED]
        rows += [(name, defect, make, BITS) for name, defect, make in OF_BITS]
    if "thresholds" in least:
        rows += [
            (name, defect, make, range(1, least["thresholds"])) for name, defect, make in COUNTS
        ]
    for name, defect, make, values in rows:
        for n in values:
            yield StepFault(operation, name.format(n), defect, "", profile, steps=make(n))


def _up_to(most: int) -> Iterator[int]:
    """Yield numbers below `most`, the likeliest first."""
    dense = range(1, min(most, DENSE))
    yield from sorted(dense, key=lambda n: (n & (n - 1) != 0, n % 8 != 0, n))
    yield from range(DENSE // 16 * 16, most, 16)
