"""The exceptions that mean "your input", as opposed to a defect of ours."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input from the user: one line that names the file, layer or argument, and what is wrong
    with it.

    >>> print(InputError("a.npz: what a library says\\nin two lines"))
    a.npz: what a library says in two lines
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split("\n")))


class AccumulatorOverflow(InputError, OverflowError):
    """An accumulator can leave its integer type; the message names the layer and the bound."""
