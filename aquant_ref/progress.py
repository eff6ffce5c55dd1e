"""Report on long work: its steps pass through a `Progress`, which may show a bar, and each line for
the user goes to a `Say`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Progress = Callable[[Iterable[int], str], Iterable[int]]
Say = Callable[[str], None]


def quiet(steps: Iterable[int], _label: str) -> Iterable[int]:
    """Return the steps unchanged and show nothing."""
    return steps


def silent(_line: str) -> None:
    """Say nothing."""
