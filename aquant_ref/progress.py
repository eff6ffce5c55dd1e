"""How long work reports: it passes its steps through a `Progress`, which may show a bar, and gives
what the user should know to a `Say`, a line at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Progress = Callable[[Iterable[int], str], Iterable[int]]
Say = Callable[[str], None]


def quiet(steps: Iterable[int], label: str) -> Iterable[int]:
    """The steps as they are: nothing is shown."""
    return steps


def silent(line: str) -> None:
    """Say nothing."""
