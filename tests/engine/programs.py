"""Programs of one layer, and images with labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from aquant_ref.engine import Instruction, Program

NO_PADDING = [[0, 0], [0, 0]]


def conv_program(weight: np.ndarray, thresholds: np.ndarray | None = None) -> Program:
    attributes = {"stride": [1, 1], "padding": NO_PADDING, "dilation": [1, 1], "groups": 1}
    instructions = [
        Instruction(
            "acc",
            "conv2d",
            ("image",),
            attributes,
            {"weight": weight, "zero_point": np.zeros(weight.shape[1], np.int32)},
        ),
    ]
    if thresholds is not None:
        instructions.append(
            Instruction("codes", "threshold", ("acc",), {"least": 0}, {"thresholds": thresholds})
        )
    return Program((weight.shape[1], 1, 1), tuple(instructions))


def linear_program(weight: np.ndarray, bias: np.ndarray) -> Program:
    arrays = {"weight": weight, "bias": bias, "zero_point": np.zeros(weight.shape[1], np.int32)}
    return Program(
        (weight.shape[1], 1, 1),
        (
            Instruction("flat", "flatten", ("image",), {"positions": 1}),
            Instruction("logits", "linear", ("flat",), {}, arrays),
        ),
    )


class Labelled:
    """Images with labels, as a comparison reads them."""

    def __init__(self, codes: np.ndarray) -> None:
        self.codes, self.labels = codes, np.zeros(len(codes), np.int64)

    def __len__(self) -> int:
        return len(self.codes)

    def batch(self, indices: Any) -> np.ndarray:
        return self.codes[indices]
