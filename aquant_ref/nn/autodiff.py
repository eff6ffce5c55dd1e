"""Wrap autograd's `primitive`: keep the type of a function, and check that tensors are floats.

All layers take float32 or float64 tensors and nothing else: sums of integers would wrap, and
booleans, complex numbers and float16 mean something else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np
from autograd.extend import primitive as _primitive
from autograd.tracer import getval

from aquant_ref.checks import is_array, shown
from aquant_ref.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
TENSOR, OPTIONAL = "Reals", "Reals | None"  # how functions annotate a tensor of floats


def floats(function: F) -> F:
    """Return `function` with a check: its arguments annotated `Reals` are float32 or float64.

    The check unwraps tensors that autograd traces, and raises InputError, which names function and
    argument, for anything else.
    """
    parameters = inspect.signature(function).parameters.values()
    tensors = {p.name: p.annotation == OPTIONAL for p in parameters if TENSOR in p.annotation}
    by_place = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    repeated = any(p.kind is p.VAR_POSITIONAL for p in parameters)

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        names = by_place * len(args) if repeated else by_place
        for name, value in (*zip(names, args, strict=False), *kwargs.items()):
            if name not in tensors or (value is None and tensors[name]):
                continue
            tensor = getval(value)
            if not is_array(tensor) or tensor.dtype not in FLOATS:
                raise InputError(
                    f"{function.__name__}: {name} needs float32 or float64, got {shown(tensor)}"
                )
        return function(*args, **kwargs)

    return checked  # type: ignore[return-value]


def primitive(function: F) -> F:
    """Make `function` one step on autograd's tape, with the check of `floats`.

    Declare its derivative rule beside it, with `defvjp` or `defvjp_argnums`.
    """
    wrapped: F = _primitive(floats(function))
    return wrapped


def check_axes(what: str, x: Any, *axes: int) -> None:
    """Raise InputError unless x has one of the numbers of axes."""
    if x.ndim not in axes:
        needed = " or ".join(map(str, axes))
        raise InputError(f"{what}: needs {needed} axes, got a tensor of shape {x.shape}")


def check_shape(what: str, name: str, value: Any, *shapes: tuple[int, ...]) -> None:
    """Raise InputError unless `value` is None or has one of the shapes."""
    if value is not None and value.shape not in shapes:
        raise InputError(f"{what}: {name} has shape {value.shape}, needs {shapes[0]}")
