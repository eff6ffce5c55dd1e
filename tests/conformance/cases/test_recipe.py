from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

import pytest

from aquant_ref.conformance.cases import recipe
from aquant_ref.conformance.cases.recipe import Recipe


def by_the_formula(
    shape: tuple[int, ...], low: int, high: int, seed: int, **more: Any
) -> list[int]:
    """As a kernel in C would write it: one element after another."""
    size = 1
    for axis in shape:
        size *= axis
    values = []
    for k in range(size):
        h = (seed + k * 0x9E3779B1) % 2**32
        h = (h ^ h >> 16) * 0x85EBCA6B % 2**32
        h = (h ^ h >> 13) * 0xC2B2AE35 % 2**32
        value, rest = low + (h ^ h >> 16) % (high - low + 1), k
        for axis in reversed(range(len(shape))):
            value += more.get("steps", (0,) * len(shape))[axis] * (rest % shape[axis])
            rest //= shape[axis]
        values.append(value)
    for start, stop, step, value in more.get("set", ()):
        for k in range(start, stop, step):
            values[k] = value
    return values


@pytest.mark.parametrize(
    ("shape", "low", "high", "seed", "more"),
    [
        ((4, 5), -128, 127, 1, {}),
        ((7,), 0, 65535, 2**32 - 1, {}),
        ((2, 3, 4), 5, 5, 9, {"steps": (-7, 0, 3)}),
        ((3, 4), -(2**31), 2**31 - 1, 12345, {"set": ((1, 12, 5, 2**40), (6, 7, 1, -1))}),
    ],
)
def test_a_recipe_is_its_formula(
    shape: tuple[int, ...], low: int, high: int, seed: int, more: dict[str, Any]
) -> None:
    """Spec: AQ-CONF-10."""
    made = Recipe(shape, low, high, seed, **more).array()
    assert made.shape == shape
    assert made.ravel().tolist() == by_the_formula(shape, low, high, seed, **more)


def test_a_real_is_an_integer_times_a_factor() -> None:
    made = Recipe((3,), 3, 3, set=((1, 2, 1, -5),), times=0.25).array()
    assert made.tolist() == [0.75, -1.25, 0.75]


def test_the_sha256_is_that_of_the_bytes_of_the_type() -> None:
    stored = Recipe((2,), 7, 7, set=((1, 2, 1, -1),)).stored("i32")
    assert stored["sha256"] == hashlib.sha256(struct.pack("<ii", 7, -1)).hexdigest()
    assert recipe.read(json.loads(json.dumps(stored)), "i32", 1).tolist() == [7, -1]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"sha256": "0"},
        {"shape": [3]},
        {"shape": [2, 1]},
        {"shape": [2**40]},
        {"shape": [-2]},
        {"shape": []},
        {"low": 8},
        {"low": -(2**70)},
        {"high": 2**33},
        {"seed": "1"},
        {"steps": [1, 2]},
        {"set": [[0, 5, 1, 0]]},
        {"set": [[0, 1, 0, 0]]},
        {"set": [[0, 1, 1]]},
        {"set": [0]},
        {"times": "0x1p0"},
        {"times": 1},
    ],
    ids=str,
)
def test_a_damaged_recipe_is_refused(change: dict[str, Any]) -> None:
    stored = {**Recipe((2,), 0, 7, 1).stored("i32"), **change}
    with pytest.raises((ValueError, TypeError)):
        recipe.read(stored, "i32", 1)
