"""What a caller or a file gives, checked in one place: integers, numbers, words, images, labels.

Each function returns the value, numbers as Python's own, or raises InputError: one line that names
the argument, what it needs and what it got.
"""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import wraps
from inspect import signature
from operator import index
from typing import Any, ParamSpec, TypeVar

import numpy as np

from aquant_ref.errors import InputError, nearest, printable, unknown
from aquant_ref.typing import Labels, Pixels, Reals

LARGEST_PIXEL = 1 + 1e-6  # 255 times the float32 of 1/255
MOST = 2**31 - 1  # of what is counted: iterations, images of a batch

MOST_LOOKED_UP = 16  # names to look for what they may mean
MOST_SHOWN = 100  # characters of a value in a message

CALLED = ("progress", "say", "callback", "report", "run")  # arguments that are functions
P = ParamSpec("P")
T = TypeVar("T")

_repr = reprlib.Repr()
_repr.maxlevel = 3
_repr.maxstring = _repr.maxother = _repr.maxlong = 60


def shown(value: Any) -> str:
    """`value` in at most MOST_SHOWN characters, for a message.

    >>> shown(3), shown("x" * 1000)[:12], shown(np.zeros((2, 3), np.int8))
    ('3', "'xxxxxxxxxxx", 'int8 of shape (2, 3)')
    """
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, np.generic):
        value = value.item()
    try:
        return printable(" ".join(_repr.repr(value).split()), MOST_SHOWN)
    except ValueError:  # an integer of thousands of digits
        return f"a huge {type(value).__name__}"


def integer(name: str, value: Any, least: int = 0, most: int = MOST) -> int:
    """`value` as an int, from `least` to `most`; a bool or a float is none."""
    try:
        whole = None if isinstance(value, bool) else index(value)
    except TypeError:  # among them numpy's booleans, and arrays
        whole = None
    if whole is None or not least <= whole <= most:
        raise InputError(f"{name}: needs whole numbers from {least} to {most}, got {shown(value)}")
    return whole


def number(
    name: str,
    value: Any,
    least: float = 0,
    most: float = sys.float_info.max,
    *,
    above: bool = False,
) -> float:
    """`value` where it is a finite real number from `least` to `most`; with `above`, not `least`
    itself. A whole number stays an int.
    """
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    plain = value.item() if isinstance(value, np.generic) else value
    if not real or not least <= plain <= most or (above and plain == least):
        span = f"above {least}" if above else f"{least} or more"
        upto = "" if most == sys.float_info.max else f", at most {most}"
        raise InputError(f"{name}: needs a finite number {span}{upto}, got {shown(value)}")
    return plain


def flag(name: str, value: Any) -> bool:
    """`value` where it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name}: needs True or False, got {shown(value)}")
    return bool(value)


def word(name: str, value: Any, known: Collection[str]) -> str:
    """`value` where it is one of the words `known`."""
    if not isinstance(value, str):
        raise InputError(
            f"{name}: needs one of {', '.join(filter(None, known))}, got {shown(value)}"
        )
    if value not in known:
        raise InputError(unknown(name, value, known))
    return str(value)


def instance(name: str, value: Any, kind: type) -> None:
    """Raise InputError unless `value` is a `kind`.

    The message says where a method of `value` makes one, or `value` is such a method, not called.

    >>> instance("graph", np.zeros(3), dict)
    Traceback (most recent call last):
    aquant_ref.errors.InputError: graph: needs dict, got ndarray
    """
    if isinstance(value, kind):
        return
    maker = kind.__name__.lower()
    hint = ""
    if callable(getattr(value, maker, None)):
        hint = f"; its {maker}() makes one"
    elif callable(value) and getattr(value, "__name__", "") == maker:
        hint = f"; call it: {maker}()"
    raise InputError(f"{name}: needs {kind.__name__}, got {type(value).__name__}{hint}")


def function(name: str, value: Any) -> None:
    """Raise InputError unless `value` can be called."""
    if not callable(value):
        raise InputError(f"{name}: needs a function, got {shown(value)}")


def takes_functions(door: Callable[P, T]) -> Callable[P, T]:
    """Make the function check those of its arguments that it will call, before it starts.

    These are the ones called as in CALLED. None is refused unless the annotation says so.
    """
    parameters = signature(door).parameters
    called = {n: "None" in str(each.annotation) for n, each in parameters.items() if n in CALLED}

    @wraps(door)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        given = {**dict(zip(parameters, args, strict=False)), **kwargs}
        for name in called.keys() & given.keys():
            if not (called[name] and given[name] is None):
                function(name, given[name])
        return door(*args, **kwargs)

    return checked


def check_names(kind: str, given: Iterable[Any], needed: Iterable[str]) -> None:
    """Raise InputError, which says what is missing and what is unexpected, unless both are alike.

    >>> check_names("parameter", ["a.wieght"], ["a.weight"])
    Traceback (most recent call last):
    aquant_ref.errors.InputError: parameter 'a.wieght' is unexpected (did you mean 'a.weight'?)
    """
    missing = sorted(set(needed) - set(given))
    unexpected = sorted(set(given) - set(needed), key=str)
    for name in unexpected[:MOST_LOOKED_UP]:
        if meant := nearest(name, missing):
            raise InputError(f"{kind} {shown(name)} is unexpected{meant}")
    wrong = [f"{shown(name)} is missing" for name in missing[:1]]
    wrong += [f"{shown(name)} is unexpected" for name in unexpected[:1]]
    if wrong:
        raise InputError(f"{kind} {', and '.join(wrong)}")


def float_dtype(name: str, value: Any) -> np.dtype[Any]:
    """float32 or float64, whichever way `value` says it."""
    try:
        dtype = np.dtype(value)
    except (TypeError, ValueError):
        dtype = np.dtype(object)
    if value is None or dtype not in (np.float32, np.float64):
        raise InputError(f"{name}: needs float32 or float64, got {shown(value)}")
    return dtype


def settle(settings: Any, **values: Any) -> None:
    """Give a frozen dataclass its fields as they were checked, from its `__post_init__`."""
    for name, value in values.items():
        object.__setattr__(settings, name, value)


def is_array(value: Any) -> bool:
    """Whether `value` is an array of which every element counts; of a masked one some do not."""
    return isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray)


def check_images(values: Any, shape: Sequence[int], name: str = "images") -> Pixels:
    """`values` where they are pixels, uint8 (N, C, H, W), one or more of `shape` (C, H, W)."""
    needs = f"{name}: needs uint8 of shape (N, {', '.join(map(str, shape))})"
    if not is_array(values):
        raise InputError(f"{needs}, got {type(values).__name__}")
    if values.dtype != np.uint8 or values.shape[1:] != tuple(shape) or values.ndim != 4:
        raise InputError(f"{needs}, got {values.dtype} of shape {values.shape}")
    if len(values) == 0:
        raise InputError(f"{name}: there are none")
    return values


def check_codes(given: Mapping[str, Any], shapes: Mapping[str, Sequence[int]]) -> None:
    """Raise InputError, which names the tensor, unless these are integers (N, ...) of the `shapes`
    by name, or pixels where the tensor is the image.
    """
    if not given:
        raise InputError("tensors: none are given")
    for name, values in given.items():
        if name not in shapes:
            raise InputError(f"{name}: there is no such tensor{nearest(name, shapes)}")
        if name == "image":
            check_images(values, shapes[name], "image: images")
        fits = is_array(values) and values.dtype.kind in "iu"
        if not fits or values.shape[1:] != tuple(shapes[name]) or not len(values):
            needs = ", ".join(map(str, shapes[name]))
            raise InputError(f"{name}: needs integers of shape (N, {needs}), got {shown(values)}")


def check_real_images(values: Any, shape: Sequence[int], name: str = "images") -> Any:
    """`values` where they are what `Graph.to_float` makes of pixels: float32 or float64 of that
    shape.
    """
    masked = isinstance(values, np.ndarray) and not is_array(values)
    dtype: Any = None if masked else getattr(values, "dtype", None)
    given: Any = getattr(values, "shape", ())
    if dtype not in (np.float32, np.float64) or given[1:] != tuple(shape) or len(given) != 4:
        raise InputError(
            f"{name}: needs float32 or float64 of shape (N, {', '.join(map(str, shape))}), got "
            + (type(values).__name__ if dtype is None else f"{dtype} of shape {given}")
        )
    if given[0] == 0:
        raise InputError(f"{name}: there are none")
    return values


def check_calibration(values: Any, shape: Sequence[int]) -> Reals:
    """Real images as `check_real_images` takes them, none of which leaves -1 to 1, as pixels do
    that are not divided by 255.
    """
    images: Reals = check_real_images(values, shape, "calibration")
    least, most = float(images.min()), float(images.max())
    if not -LARGEST_PIXEL <= least <= most <= LARGEST_PIXEL:  # true for NaN as well
        raise InputError(
            f"calibration: goes from {least:.3g} to {most:.3g}; needs pixels that "
            "Graph.to_float has brought to -1 to 1"
        )
    return images


def check_labels(values: Any, count: int, classes: int, name: str = "labels") -> Labels:
    """`values` where they are the classes of `count` images: integers (N,), 0 to classes - 1."""
    needs = f"{name}: needs {count} whole numbers, 0 to {classes - 1}"
    if not is_array(values):
        raise InputError(f"{needs}, got {type(values).__name__}")
    if values.dtype.kind not in "iu" or values.shape != (count,):
        raise InputError(f"{needs}, got {values.dtype} of shape {values.shape}")
    if count and (int(values.min()) < 0 or int(values.max()) >= classes):
        raise InputError(f"{needs}, got {values.min()} to {values.max()}")
    return values
