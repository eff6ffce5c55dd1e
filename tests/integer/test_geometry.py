"""Every convolution and every pool refuses the same numbers: where no window can lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aquant_ref import nn
from aquant_ref.engine.instruction import Instruction
from aquant_ref.engine.operations import OPERATIONS
from aquant_ref.engine.validate import check, shape_of
from aquant_ref.errors import InputError
from aquant_ref.integer import accumulate_conv2d
from aquant_ref.nn.operations import Node, windows
from aquant_ref.nn.straight_through import CodeRange
from aquant_ref.nn.window_border import bordered_conv2d
from aquant_ref.nn.windows import Windows

SHAPE = (2, 4, 5)  # of the image
WEIGHT = np.ones((2, 2, 2, 3), np.int8)
PADDED = [[1, 0], [0, 2]]
WHOLE = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}


def integers(**where: Any) -> Any:
    codes = np.ones((1, *SHAPE), np.uint8)
    return accumulate_conv2d(codes, WEIGHT, **where, layer="conv").shape[1:]


def convolution(**where: Any) -> Any:
    return nn.conv2d(np.ones((1, *SHAPE)), WEIGHT.astype(float), **where).shape[1:]


def bordered(**where: Any) -> Any:
    rows = np.zeros((12, 3))
    x, weight = np.ones((1, *SHAPE)), WEIGHT.astype(float)
    codes = CodeRange(0, 3)
    return bordered_conv2d(x, weight, np.zeros(2), 1.0, rows, codes=codes, **where).shape[1:]


def pool(of: Callable[..., Any]) -> Callable[..., Any]:
    def door(kernel: Any = (2, 3), **where: Any) -> Any:
        return of(np.ones((1, *SHAPE)), kernel, **{"stride": 1, **where}).shape[1:]

    return door


def graph_node(op: str) -> Callable[..., Any]:
    def door(**where: Any) -> Any:
        needed = {"channels": 2} if op == "conv2d" else {}
        attributes = {"kernel": (2, 3), "stride": 1, **needed, **where}
        found = windows(Node("n", op, ("x",), "all", attributes), SHAPE)
        return 2, found.out_height, found.out_width

    return door


def geometry(kernel: Any = (2, 3), **where: Any) -> Any:
    found = Windows((1, *SHAPE), kernel, **where)
    return 2, found.out_height, found.out_width


def instruction(op: str) -> Callable[..., Any]:
    def door(**where: Any) -> Any:
        attributes: dict[str, Any] = {
            "kernel": (2, 3),
            **WHOLE,
            "groups": 1,
            "zero_code": 0,
            **where,
        }
        zeros, table = np.zeros(2, np.int32), np.zeros((1, 256), np.int32)
        places = (4, 5) if attributes["padding"] == PADDED else (3, 3)
        arrays = {
            "weight": WEIGHT,
            "zero_point": zeros,
            "codes": table.astype(np.uint8),
            "lift": table,
            "fusion": table,
            "factor": np.ones(places, np.int32),
        }
        arrays = {key: arrays[key] for key in OPERATIONS[op].arrays}
        own = OPERATIONS[op].attributes.keys() | where.keys()
        attributes = {key: value for key, value in attributes.items() if key in own}
        each = Instruction("n", op, ("image",), attributes, arrays)
        with pytest.raises(ValueError, match=r"^n: |^program: makes no logits$") as found:
            check(SHAPE, (each,))
        if str(found.value).startswith("n: "):
            raise found.value
        return shape_of(each, SHAPE)

    return door


CONVOLUTIONS: dict[str, Callable[..., Any]] = {
    "integer.accumulate_conv2d": integers,
    "nn.conv2d": convolution,
    "nn.bordered_conv2d": bordered,
    **{op: instruction(op) for op in ("conv2d", "border_conv2d", "fused_conv2d")},
}
POOLS: dict[str, Callable[..., Any]] = {
    "nn.avg_pool": pool(nn.avg_pool),
    "nn.max_pool": pool(nn.max_pool),
    "nn.Windows": geometry,
    **{f"a node {op}": graph_node(op) for op in ("avg_pool", "max_pool")},
    **{op: instruction(op) for op in ("sum", "max_pool")},
}
DOORS = {**CONVOLUTIONS, "a node conv2d": graph_node("conv2d"), **POOLS}
BAD: dict[str, Any] = {
    "negative": (-1, -1),
    "one negative": (1, -1),
    "a bool": (True, True),
    "a float": (1.0, 1.0),
    "text": "11",
    "three": (1, 1, 1),
    "none": (),
    "huge": (2**31, 2**31),
    "beyond int64": (2**70, 1),
    "NaN": (float("nan"), 1),
    "nothing": None,
    "a mapping": {1: 1, 2: 2},
}


def refused(door: Callable[..., Any], key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"\b({key}|window|windows)\b") as error:
        door(**{key: value})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("door", DOORS)
def test_plain_windows_are_as_many_as_they_are(door: str) -> None:
    assert DOORS[door]() == (2, 3, 3)
    assert DOORS[door](**{**WHOLE, "padding": PADDED}) == (2, 4, 5)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("key", ["stride", "dilation", "padding"])
def test_what_makes_no_window_is_refused_at_every_door(door: str, key: str) -> None:
    for value in BAD.values():
        if value is None and key == "stride" and "pool" in door:
            continue  # its stride is then its kernel
        refused(DOORS[door], key, value)
        if key == "padding" and isinstance(value, tuple) and value:
            refused(DOORS[door], key, ((0, 0), value))
    if key != "padding":
        refused(DOORS[door], key, (0, 1))


@pytest.mark.parametrize("door", POOLS)
def test_a_kernel_that_is_none_is_refused_by_every_pool(door: str) -> None:
    for value in (*BAD.values(), 0, (0, 1), (9, 1)):
        refused(POOLS[door], "kernel", value)


@pytest.mark.parametrize("door", DOORS)
def test_windows_that_no_memory_holds_are_refused_at_once(door: str) -> None:
    refused(DOORS[door], "padding", [[2**14, 2**14], [2**14, 2**14]])


@pytest.mark.parametrize("door", CONVOLUTIONS)
@pytest.mark.parametrize("groups", [0, -1, -2, 3, True, 1.0, "1", None, 2**31, (1,)])
def test_groups_that_are_none_are_refused_by_every_convolution(door: str, groups: Any) -> None:
    refused(CONVOLUTIONS[door], "groups", groups)


def test_a_flipped_result_is_not_what_a_negative_stride_gives() -> None:
    codes = np.arange(4, dtype=np.uint8).reshape(1, 1, 2, 2)
    with pytest.raises(InputError, match=r"^conv: stride: needs whole numbers .* got -1$"):
        accumulate_conv2d(codes, np.ones((1, 1, 1, 1), np.int8), stride=(-1, -1), layer="conv")
