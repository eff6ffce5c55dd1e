"""Where windows lie on an image: the one check of all convolutions and pools (AQ-IDEAL-4).

A pair is (vertical, horizontal), or one number for both; padding is ((top,
bottom), (left, right)), and may be one number for an axis or for all sides. Who computes windows
has them written down on its own; which numbers make windows is said here. Every function raises
InputError, one line that names the attribute.
"""

from __future__ import annotations

from math import prod
from typing import Any

from aquant_ref.checks import integer, shown
from aquant_ref.errors import InputError

Pair = tuple[int, int]
Sides = tuple[Pair, Pair]

# Elements of an image's tensor, padding included, or of its im2col matrix: 2 GiB of float64.
LARGEST_TENSOR = 2**28
# Pixels of a window, which are taken one after the other: seconds.
LARGEST_WINDOW = 2**20
# Channels of a tensor. With 8-bit codes and weights, a sum over more could leave int32.
LARGEST_CHANNELS = 2**16


def whole(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int, from `least` to LARGEST_TENSOR; a bool or a float is none.

    Spec: AQ-IDEAL-4.

    >>> whole("groups", 2)
    2
    """
    return integer(name, value, least, LARGEST_TENSOR)


def _two(name: str, value: Any) -> tuple[Any, Any]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise InputError(f"{name}: needs one number or two, got {shown(value)}")
    return value[0], value[1]


def _is_number(value: Any) -> bool:
    return hasattr(value, "__index__") or isinstance(value, float)


def pair(name: str, value: Any, least: int = 1) -> Pair:
    """A kernel, a stride or a dilation as (vertical, horizontal).

    Spec: AQ-IDEAL-4.

    >>> pair("stride", 2), pair("stride", [1, 3])
    ((2, 2), (1, 3))
    """
    first, second = (value, value) if _is_number(value) else _two(name, value)
    return whole(name, first, least), whole(name, second, least)


def sides(value: Any) -> Sides:
    """A padding as ((top, bottom), (left, right)).

    Spec: AQ-IDEAL-4.

    >>> sides(1), sides((2, (0, 1)))
    (((1, 1), (1, 1)), ((2, 2), (0, 1)))
    """
    vertical, horizontal = (value, value) if _is_number(value) else _two("padding", value)
    return pair("padding", vertical, 0), pair("padding", horizontal, 0)


def sizes(shape: tuple[int, ...], kernel: Any, stride: Any, padding: Any, dilation: Any) -> Pair:
    """How many windows an image of `shape` (C, H, W) has, (vertical, horizontal), each at least 1.

    Spec: AQ-IDEAL-4. Raises InputError, too, where none fits, where one is beyond LARGEST_WINDOW,
    or where they are so many that an image or its im2col matrix would be beyond LARGEST_TENSOR.
    """
    size = tuple(whole("image", n) for n in shape[1:])
    kernel, stride = pair("kernel", kernel), pair("stride", stride)
    dilation = pair("dilation", dilation)
    padded = tuple(n + sum(side) for n, side in zip(size, sides(padding), strict=True))
    vertical, horizontal = (
        (n - (k - 1) * d - 1) // s + 1
        for n, k, s, d in zip(padded, kernel, stride, dilation, strict=True)
    )
    if min(vertical, horizontal) < 1:
        raise InputError(
            f"a window of {kernel[0]}x{kernel[1]} does not fit an image of {size[0]}x{size[1]}"
        )
    if prod(kernel) > LARGEST_WINDOW:
        raise InputError(
            f"kernel: a window of {kernel[0]}x{kernel[1]} has more than {LARGEST_WINDOW} pixels"
        )
    largest = shape[0] * max(prod(padded), prod(kernel) * vertical * horizontal)
    if largest > LARGEST_TENSOR:
        raise InputError(
            f"the windows on an image of {size[0]}x{size[1]} hold {largest} pixels, more "
            f"than {LARGEST_TENSOR}"
        )
    return vertical, horizontal


def check_groups(channels: int, weight: tuple[int, ...], groups: Any) -> None:
    """Refuse a weight of shape (O, C/groups, kh, kw) that does not meet so many channels.

    Spec: AQ-IDEAL-4.
    """
    number = whole("groups", groups)
    if len(weight) != 4 or 0 in weight or weight[1] * number != channels or weight[0] % number:
        raise InputError(
            f"groups: a weight of shape {weight} in {number} groups does not fit {channels} "
            "channels"
        )
