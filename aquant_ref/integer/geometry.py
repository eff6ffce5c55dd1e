"""Check the attributes of windows, for all convolutions and pools (AQ-IDEAL-4).

A pair is (vertical, horizontal), or one number for both. Padding is ((top, bottom), (left, right));
one number may stand for an axis or for all sides. Each implementation computes its windows by
itself; this module decides which attributes are valid. Every function raises InputError, which
names the attribute.
"""

from __future__ import annotations

from math import prod
from typing import Any

from aquant_ref.checks import integer, shown
from aquant_ref.errors import InputError

Pair = tuple[int, int]
Sides = tuple[Pair, Pair]

# Elements of one image's tensor with padding, or of its im2col matrix: 2 GiB of float64.
LARGEST_TENSOR = 2**28
# Pixels of a window: code that visits them one by one takes seconds.
LARGEST_WINDOW = 2**20
# Channels of a tensor. With 8-bit codes and weights, a sum over more could leave int32.
LARGEST_CHANNELS = 2**16


def whole(name: str, value: Any, least: int = 1) -> int:
    """Return `value` as an int if it is an integer from `least` to LARGEST_TENSOR.

    Spec: AQ-IDEAL-4. A bool and a float are refused.

    >>> whole("groups", 2)
    2
    """
    return integer(name, value, least, LARGEST_TENSOR)


def _two(name: str, value: Any, needs: str = "one number or two") -> tuple[Any, Any]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise InputError(f"{name}: needs {needs}, got {shown(value)}")
    return value[0], value[1]


def _is_number(value: Any) -> bool:
    return hasattr(value, "__index__") or isinstance(value, float)


def pair(name: str, value: Any, least: int = 1) -> Pair:
    """Return a kernel, stride or dilation as (vertical, horizontal).

    Spec: AQ-IDEAL-4.

    >>> pair("stride", 2), pair("stride", [1, 3])
    ((2, 2), (1, 3))
    """
    first, second = (value, value) if _is_number(value) else _two(name, value)
    return whole(name, first, least), whole(name, second, least)


PADDING = "a number, (vertical, horizontal) or ((top, bottom), (left, right))"


def sides(value: Any) -> Sides:
    """Return a padding as ((top, bottom), (left, right)).

    Spec: AQ-IDEAL-4.

    >>> sides(1), sides((2, (0, 1)))
    (((1, 1), (1, 1)), ((2, 2), (0, 1)))
    """
    vertical, horizontal = (value, value) if _is_number(value) else _two("padding", value, PADDING)
    return pair("padding", vertical, 0), pair("padding", horizontal, 0)


def sizes(shape: tuple[int, ...], kernel: Any, stride: Any, padding: Any, dilation: Any) -> Pair:
    """Count the windows on an image of `shape` (C, H, W): (vertical, horizontal), each at least 1.

    Spec: AQ-IDEAL-4. Raise InputError if no window fits, if a window has more than LARGEST_WINDOW
    pixels, or if the padded image or its im2col matrix has more than LARGEST_TENSOR elements.
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
            f"the windows on an image of {size[0]}x{size[1]} have {largest} pixels, more "
            f"than {LARGEST_TENSOR}"
        )
    return vertical, horizontal


def check_groups(channels: int, weight: tuple[int, ...], groups: Any) -> None:
    """Raise InputError unless a weight of shape (O, C/groups, kh, kw) fits `channels` channels.

    Spec: AQ-IDEAL-4.
    """
    number = whole("groups", groups)
    if len(weight) != 4 or 0 in weight or weight[1] * number != channels or weight[0] % number:
        raise InputError(
            f"groups: a weight of shape {weight} in {number} groups does not fit {channels} "
            "channels"
        )
