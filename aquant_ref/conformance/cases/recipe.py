"""Make a large tensor by a formula, so that the vectors store the formula and not the tensor.

The k-th element, row-major, of a tensor with `shape`, `low`, `high` and `seed` is

    h = (seed + k*0x9E3779B1) mod 2^32
    h = (h xor h>>16)*0x85EBCA6B mod 2^32
    h = (h xor h>>13)*0xC2B2AE35 mod 2^32
    low + (h xor h>>16) mod (high - low + 1)

plus `steps` times its place on each axis. Then each (start, stop, step, value) of `set`, in turn,
gives the elements start, start + step, ... below stop that value. A real is that integer times
`times`. Spec: AQ-CONF-10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from typing import Any

import numpy as np

from aquant_ref.formats.kinds import ListOf, fits
from aquant_ref.typing import Array

MOST_ELEMENTS = 1 << 22
INT64 = 1 << 62
STORED = {"i32": "<i4", "i64": "<i8", "f64": "<f8"}
FORM: dict[str, Any] = {"shape": ListOf(int), "low": int, "high": int, "seed": int}


@dataclass(frozen=True)
class Recipe:
    """Describe a tensor of integers, or of reals if there is `times`.

    >>> Recipe((2, 3), 0, 9, seed=7, set=((0, 6, 2, 5),)).array().tolist()
    [[5, 5, 5], [0, 5, 4]]
    """

    shape: tuple[int, ...]
    low: int
    high: int
    seed: int = 0
    steps: tuple[int, ...] = ()
    set: tuple[tuple[int, int, int, int], ...] = ()
    times: float | None = None

    def __post_init__(self) -> None:
        size = prod(self.shape)
        if min(self.shape, default=0) < 1 or size > MOST_ELEMENTS:
            raise ValueError(f"no tensor has the shape {self.shape}")
        if not (-INT64 < self.low <= self.high < INT64 and self.high - self.low < 1 << 32):
            raise ValueError(f"no range is {self.low}..{self.high}")
        if len(self.steps) not in (0, len(self.shape)) or max(map(abs, self.steps), default=0) > (
            INT64 // MOST_ELEMENTS
        ):
            raise ValueError(f"no steps are {self.steps}")
        for start, stop, step, value in self.set:
            if not (0 <= start <= stop <= size and step >= 1 and abs(value) <= INT64):
                raise ValueError(f"nothing is set from {start} to {stop}")

    def array(self) -> Array:
        """Compute the tensor, int64 or float64."""
        k = np.arange(prod(self.shape), dtype=np.uint64)
        h = self.seed % 2**32 + k * np.uint64(0x9E3779B1) & np.uint64(0xFFFFFFFF)
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
            h = (h ^ h >> np.uint64(shift)) * np.uint64(factor) & np.uint64(0xFFFFFFFF)
        drawn = (h ^ h >> np.uint64(16)) % np.uint64(self.high - self.low + 1)
        values = drawn.astype(np.int64).reshape(self.shape) + self.low
        for axis, step in enumerate(self.steps):
            places = np.arange(self.shape[axis]) * step
            values += places.reshape(-1, *(1,) * (len(self.shape) - axis - 1))
        flat = values.reshape(-1)
        for start, stop, step, value in self.set:
            flat[start:stop:step] = value
        return values if self.times is None else values * self.times

    def stored(self, kind: str) -> dict[str, Any]:
        """Return it for JSON, with the sha256 of the tensor as type `kind`."""
        more: dict[str, Any] = {"steps": list(self.steps), "set": [list(each) for each in self.set]}
        more = {key: value for key, value in more.items() if value}
        if self.times is not None:
            more["times"] = self.times.hex()
        return {
            "shape": list(self.shape),
            "low": self.low,
            "high": self.high,
            "seed": self.seed,
            **more,
            "sha256": digest(self.array(), kind),
        }


def read(value: Mapping[str, Any], kind: str, axes: int) -> Array:
    """Compute a stored tensor; ValueError or TypeError if it is damaged, or has another sha256."""
    of_lists = {"steps": ListOf(int), "set": ListOf(ListOf(int))}
    present = {key: form for key, form in of_lists.items() if key in value}
    if not fits(value, {**FORM, **present, "sha256": str}) or len(value["shape"]) != axes:
        raise TypeError("a recipe does not have its form")
    recipe = Recipe(
        tuple(value["shape"]),
        value["low"],
        value["high"],
        value["seed"],
        tuple(value.get("steps", ())),
        tuple(tuple(each) for each in value.get("set", ())),
        float.fromhex(value["times"]) if "times" in value else None,
    )
    if (recipe.times is None) == (kind == "f64"):
        raise TypeError(f"a recipe of {kind}: only reals have `times`")
    made = recipe.array()
    if digest(made, kind) != value["sha256"]:
        raise ValueError("a recipe makes a tensor with another sha256")
    return made


def digest(values: Array, kind: str) -> str:
    """Return the sha256 of the elements, little-endian and row-major, of 4 or 8 bytes."""
    return sha256(np.ascontiguousarray(values, STORED[kind]).tobytes()).hexdigest()


def array_of(value: Any) -> Any:
    """Compute a recipe; return anything else as it is."""
    return value.array() if isinstance(value, Recipe) else value
