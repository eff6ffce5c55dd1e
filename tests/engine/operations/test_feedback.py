"""`feedback_conv2d`: what could leave its type is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aquant_ref.engine import Engine, Instruction, Program, interpreter
from aquant_ref.engine.instruction import NEVER_LIFT
from aquant_ref.errors import AccumulatorOverflow, InputError

PLACES = {"stride": [2, 1], "padding": [[1, 2], [0, 1]], "dilation": [1, 2]}
WIDE = 256


def layer(
    seed: int,
    *,
    members: int = 5,
    outputs: int = 4,
    groups: int = 1,
    rows_of_tables: bool = False,
    zero_point: int = 0,
    rank: int = 0,
    scale: int = 1,
) -> Instruction:
    """A layer of 3x2 windows, in all directions where `rank` is 0; its padding has no error."""
    rng = np.random.default_rng(seed)
    rows = members * 6
    count = rows * groups if rows_of_tables else 1
    weight = rng.integers(-3, 4, (outputs * groups, members, 3, 2)).astype(np.int8)
    kept = (groups, rank or outputs, rows)
    directions = rng.integers(-9, 10, kept) if rank else weight.reshape(kept)
    lift = rng.integers(-4000, 4000, (count, WIDE)) * scale
    lift[:, rng.integers(0, WIDE, 60)] = NEVER_LIFT
    error = rng.integers(-32, 1, (count, WIDE))
    codes = rng.integers(0, 3, (1, WIDE))
    error[:, 7], lift[:, 7], codes[:, 7] = 0, NEVER_LIFT, zero_point
    return Instruction(
        "conv",
        "feedback_conv2d",
        ("image",),
        {**PLACES, "groups": groups, "zero_code": 7, "error_bits": 5},
        {
            "weight": weight,
            "zero_point": np.full(members * groups, zero_point, np.int32),
            "codes": codes.astype(np.uint8),
            "lift": lift.astype(np.int32),
            "error": error.astype(np.int32),
            "directions": directions.astype(np.int8),
            "pull": (rng.integers(-60, 61, kept) * scale).astype(np.int32),
        },
    )


@pytest.mark.parametrize("product", ["auto", "integer"])
def test_the_engine_makes_the_accumulators_of_the_definition(product: str) -> None:
    """Spec: AQ-LOWER-14."""
    for each in (layer(1), layer(2, groups=3, members=2), layer(5, rank=2, rows_of_tables=True)):
        channels = each.arrays["zero_point"].size
        rng = np.random.default_rng(0)
        images = rng.integers(0, WIDE, (5, channels, 6, 5)).astype(np.uint8)
        engine = Engine(Program((channels, 6, 5), (each,)), product=product)
        assert engine.run(images)["conv"].tolist() == interpreter.apply(each, [images]).tolist()


def filled(key: str, value: int) -> Any:
    return lambda arrays: {key: np.full_like(arrays[key], value)}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (filled("error", 2**28), AccumulatorOverflow, "conv: its error can reach"),
        (filled("pull", 2**20), AccumulatorOverflow, "conv: the pull of its error can reach"),
        (
            lambda arrays: {"pull": arrays["pull"][:, :1]},
            InputError,
            "conv: has not one pull for each direction",
        ),
        (
            lambda arrays: {"directions": arrays["directions"][:, :, 1:]},
            InputError,
            "conv: its directions of shape .* does not fit 1 x 30 rows",
        ),
        (lambda arrays: {"error": arrays["error"][:, :9]}, InputError, "conv: its error of shape"),
        (filled("codes", 255), InputError, "conv: its codes have no room to go up from 255"),
    ],
)
def test_what_could_leave_its_type_is_refused_by_the_name_of_the_layer(
    change: Any, error: type[Exception], message: str
) -> None:
    """Spec: AQ-LOWER-14."""
    each = layer(1)
    changed = replace(each, arrays={**each.arrays, **change(each.arrays)})
    with pytest.raises(error, match=message):
        Program((5, 6, 5), (changed,)).validate(part=True)
