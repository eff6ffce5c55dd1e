"""autograd's `primitive` with a type, which autograd does not publish and our layers would lose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from autograd.extend import primitive as _primitive

F = TypeVar("F", bound=Callable[..., Any])


def primitive(function: F) -> F:
    """`function` as one step on autograd's tape; its derivative rule is declared beside it."""
    wrapped: F = _primitive(function)
    return wrapped
