"""Cases that adapters answer alike, with their answers worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from aquant_ref.conformance.cases.family import plain

WINDOWS = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1)}
CODES = {"zero_point": 1, "qmin": 0, "qmax": 255}
END = {**CODES, "scale": 0.5}
# (2 - 1) + (4 - 1) + 1 = 5 and (4 - 1) + (6 - 1) + 1 = 9 units; M is 1/2
LAYER = {
    **{"x_scale": 0.5, "x_zero": 1, "weight_scale": np.array([0.5]), "bias": np.array([0.25])},
    **{"weight_zero": np.array([0]), "profile": "ideal", **END},
}
X, PAIR = np.array([[[2, 4, 6]]]), np.array([[[[1, 1]]]])
SUM = {"a_scale": 0.5, "a_zero": 1, "b_scale": 0.25, "b_zero": 0, **CODES, "scale": 1.0}

SCALARS: dict[str, tuple[dict[str, Any], Any]] = {
    "round": ({"rounding": "half_up", "t": -0.5}, 0),
    "border_round": ({"t": 1.25, "border": 0.25}, 2),
    "quantize": ({"rounding": "half_even", "r": 0.75, **END}, 3),  # 1.5 is 2, then 1 more
    "dequantize": ({"q": 4, "scale": 0.1, "zero_point": 1}, 0.30000000000000004),
    "add": ({"a": 3, "b": 2, **SUM}, 3),  # 1 + 1/2 is 2, then 1 more
    "avg_pool": ({"total": 7, "count": 2, "x_scale": 0.5, "x_zero": 1, **END}, 4),
}
IN_INTEGERS: dict[str, tuple[dict[str, Any], Any]] = {
    "clip": ({"v": 2**40, "low": -8, "high": 7}, 7),
    "threshold": ({"acc": 3, "t0": 1, "t1": 3, "t2": 5}, 2),
    "requantize": (  # -2.5
        {
            **{"acc": -10, "multiplier": 2**30, "shift": 32, "profile": "tflite_away"},
            **{"zero_point": 0, "qmin": -8, "qmax": 7},
        },
        -3,
    ),
    "border": (  # P is 3 + 5, as is lift: 1 1/2 goes up, and 2 more
        {
            **{"t": 3, "low": -4, "high": 4, "fraction_bits": 1, "multiplier": 2**30, "shift": 30},
            **{"c0": 5, "c1": 2**15, "c2": 0, "lift": 8, "zero_point": 2},
        },
        4,
    ),
}
TENSORS: dict[str, tuple[dict[str, Any], Any]] = {
    "conv2d": (
        {"x": X, "weight": np.array([[[[1, 1]]]]), "groups": 1, **WINDOWS, **LAYER},
        [[[4, 6]]],
    ),
    "depthwise": ({"x": X, "weight": PAIR, **WINDOWS, **LAYER}, [[[4, 6]]]),
    "linear": ({"x": np.array([2, 4]), "weight": np.array([[1, 1]]), **LAYER}, [4]),
    "add_tensors": ({"a": np.array([[[3, 1]]]), "b": np.array([[[2, 0]]]), **SUM}, [[[3, 1]]]),
    "avg_pool2d": (  # (1 + 3)/2 and, beside padding that counts, 5/2
        {
            **{"x": X, "x_scale": 0.5, "x_zero": 1, "kernel": (1, 2), "count_padding": 1, **END},
            **{**WINDOWS, "stride": (1, 2), "padding": (0, 0, 0, 1)},
        },
        [[[3, 4]]],
    ),
    "max_pool2d": ({"x": -X, "kernel": (1, 2), **WINDOWS}, [[[-2, -4]]]),
    "bordered_conv2d": (  # (x - 1)/4 + 1/4 is 1/2, 1 and 3/2: at, below and at a crossing
        {
            **{"x": X, "x_scale": 0.5, "x_zero": 1, "weight": np.array([[[[1]]]]), "groups": 1},
            **{"weight_scale": np.array([0.5]), "bias": np.array([0.25]), "relu": 0, "scale": 1.0},
            **{"crossings": np.array([[0.5, 1.5, 3.0]]), "least": 0, **WINDOWS},
        },
        [[[1, 1, 2]]],
    ),
}


def columns(fields: dict[str, Any]) -> dict[str, Any]:
    """One case of a scalar operation as a method gets it."""
    return {k: v if isinstance(v, str) else np.array([v]) for k, v in fields.items()}


def answer(adapter: Any, operation: str, fields: dict[str, Any]) -> Any:
    """What the method returns, in Python numbers; one result may come alone."""
    got = getattr(adapter, operation)(**fields)
    (only,) = got if isinstance(got, tuple) else (got,)
    return plain(only)
