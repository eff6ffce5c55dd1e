"""The row of the table of instructions: everything that a program's checks have to know of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aquant_ref.checks import shown
from aquant_ref.engine.instruction import Bounds, Instruction, Range, Shape, need
from aquant_ref.errors import AccumulatorOverflow, InputError
from aquant_ref.integer import geometry
from aquant_ref.typing import Integers

LIMITS = {"int32": 2**31 - 1, "int64": 2**53}  # largest absolute value of a tensor in either type
Check = Callable[[Any], Any]  # of an attribute's value; raises InputError where it cannot be


def _nothing(_each: Instruction, *_others: Any) -> None:
    """Check nothing; make no codes."""


def _in_int32(_inputs: Sequence[str]) -> str:
    return "int32"


@dataclass(frozen=True)
class Operation:
    """An instruction, without the function that computes it (`engine.interpreter`).

    `arrays`: the dtypes that each array may have. `attributes`: the check of each. `inputs`: how
    many, None for two or more. `axes`: how many axes the first input may have. `reads_codes`: no
    input may be an accumulator. `saturates`: what leaves its type becomes the nearest value in it,
    so that its bounds may.

    `shape(each, *shapes)` gives the shape that it makes, or raises InputError. `bounds(each,
    inputs, shape)` gives the bounds that it makes from those of its inputs and the shape of the
    first, or raises AccumulatorOverflow. `check(each)` looks at numbers whose sense does not depend
    on the input, `check_codes(each, range)` at tables that need an entry for each code of it.
    `codes(each, *ranges)` gives the range of the codes that it makes, None where it makes none or
    where an input, whose range is None, holds none. `stored(each)` belongs to the quantizers, whose
    codes runs record: the range whose type they are stored in. `held_in(types)` gives the type that
    holds what it makes, from those of its inputs.
    """

    shape: Callable[..., Shape]
    bounds: Callable[[Instruction, Sequence[Bounds], Shape], Bounds]
    arrays: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    attributes: Mapping[str, Check] = field(default_factory=dict)
    inputs: int | None = 1
    axes: tuple[int, ...] = (1, 3)
    reads_codes: bool = False
    saturates: bool = False
    check: Callable[[Instruction], None] = _nothing
    check_codes: Callable[[Instruction, Range], None] = _nothing
    codes: Callable[..., Range | None] = _nothing
    stored: Callable[[Instruction], Range] | None = None
    held_in: Callable[[Sequence[str]], str] = _in_int32


# Attributes


def whole(least: int) -> Check:
    """Accept an integer of at least `least`."""

    def check(value: Any) -> None:
        geometry.whole("attribute", value, least)
        _plain(value, 0)

    return check


def any_integer(value: Any) -> None:
    """Accept an integer; `Operation.check` says which."""
    _plain(value, 0)


def pair(value: Any) -> None:
    """Accept (vertical, horizontal), each at least 1."""
    geometry.pair("attribute", value)
    _plain(value, 1)


def sides(value: Any) -> None:
    """Accept ((top, bottom), (left, right)), each at least 0."""
    geometry.sides(value)
    _plain(value, 2)


def one_of(words: Sequence[str]) -> Check:
    """Accept one of `words`."""

    def check(value: Any) -> None:
        if not isinstance(value, str) or value not in words:
            raise InputError(f"needs one of {', '.join(words)}")

    return check


def _plain(value: Any, depth: int) -> None:
    """Refuse what is no integer, or `depth` times a list of them, as a program file holds it."""
    if depth == 0 and type(value) is int:
        return
    if depth == 0 or not isinstance(value, list | tuple):
        raise InputError(f"cannot be {shown(value)}")
    for each in value:
        _plain(each, depth - 1)


PLACES: dict[str, Check] = {"stride": pair, "dilation": pair, "padding": sides}
WINDOW: dict[str, Check] = {"kernel": pair, **PLACES}


# Shapes


def same_shape(each: Instruction, shape: Shape, *others: Shape) -> Shape:
    """Make what the inputs are, all of one shape, with every array one value a channel."""
    need(each.name, all(other == shape for other in others), _shapes(shape, *others))
    check_channels(each, shape[0], *each.arrays)
    return shape


def _shapes(shape: Shape, *others: Shape) -> str:
    return f"its inputs have shapes {shape}{''.join(f' and {other}' for other in others)}"


def check_channels(each: Instruction, channels: int, *keys: str) -> None:
    """Refuse an array that has not one value for each of so many channels."""
    for key in keys:
        shape = each.arrays[key].shape
        need(each.name, shape == (channels,), f"its {key} has shape {shape}, needs ({channels},)")


def window_sizes(each: Instruction, shape: Shape) -> Shape:
    """Count the windows that it has on an image of `shape`, (vertical, horizontal)."""
    where = each.attributes
    kernel = each.arrays["weight"].shape[2:] if "weight" in each.arrays else where["kernel"]
    with named(each):
        return geometry.sizes(
            shape, kernel, *(where[key] for key in ("stride", "padding", "dilation"))
        )


@contextmanager
def named(each: Instruction) -> Iterator[None]:
    """Put the name of `each` before what is wrong with its windows."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{each.name}: {error}") from error


def within(each: Instruction, key: str, values: Any, low: int, high: int) -> None:
    """Refuse values outside low..high."""
    inside = bool(((np.asarray(values) >= low) & (np.asarray(values) <= high)).all())
    need(each.name, inside, f"its {key} is not in {low}..{high}")


# Bounds


def magnitude(bound: Bounds) -> int:
    """Find the largest absolute value over all channels."""
    return int(max(abs(int(bound[0].min())), abs(int(bound[1].max()))))


def check_held(each: Instruction, bound: Bounds, held: str, what: str = "accumulator") -> None:
    """Raise AccumulatorOverflow, which names the layer, where a value could leave type `held`."""
    limit, largest = LIMITS[held], magnitude(bound)
    if largest > limit:
        raise AccumulatorOverflow(f"{each.name}: its {what} can reach {largest}, beyond {limit}")


def centred(each: Instruction, low: Integers, high: Integers) -> Bounds:
    """Give the bounds of the codes minus their zero point."""
    zero_point = each.arrays["zero_point"].astype(np.int64)
    return low - zero_point, high - zero_point


def codes_bounds(codes: Range, channels: int) -> Bounds:
    """Give every channel the range of the codes."""
    return np.full(channels, codes[0], np.int64), np.full(channels, codes[1], np.int64)


def unchanged(_each: Instruction, inputs: Sequence[Bounds], _shape: Shape) -> Bounds:
    """Give the bounds of the first input."""
    return inputs[0]


def passed(_each: Instruction, *ranges: Range | None) -> Range | None:
    """Give the range of codes that only move, of all inputs together."""
    known = [codes for codes in ranges if codes is not None]
    if len(known) < len(ranges):
        return None
    return min(low for low, _ in known), max(high for _, high in known)
