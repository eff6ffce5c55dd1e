"""Put layers for a batch of images under test: with all images at once, as the engine runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from aquant_ref import integer
from aquant_ref.conformance.adapters import engine_activations as activations
from aquant_ref.errors import InputError
from aquant_ref.typing import Array, Codes, Integers

Requantize = Callable[..., Array]  # of accumulators (O, ...)


def activated(fields: dict[str, Any]) -> dict[str, Any]:
    """Replace an activation by the range that it leaves. Spec: AQ-ACT-1."""
    activation, rest = fields["activation"], {k: v for k, v in fields.items() if k != "activation"}
    ends = {name: np.array([rest[name]]) for name in ("scale", "zero_point", "qmin", "qmax")}
    low, high = activations.activation_range("", activation=activation, **ends)
    return {**rest, "qmin": int(low[0]), "qmax": int(high[0])}


def conv2d(
    requantize: Requantize,
    *,
    x: Codes,
    x_zero: int,
    weight: Codes,
    weight_zero: Integers,
    padding: tuple[int, int, int, int],
    groups: int,
    **fields: Any,
) -> Array:
    """Spec: AQ-BATCH-1."""
    windows = {key: fields.pop(key) for key in ("stride", "dilation")}
    acc = integer.accumulate_conv2d(
        x,
        weight - weight_zero.reshape(-1, 1, 1, 1),
        padding=(padding[:2], padding[2:]),
        groups=groups,
        zero_point=x_zero,
        layer="conv2d_batch",
        **windows,
    )
    return requantize(acc.swapaxes(0, 1), profile="exact", **activated(fields)).swapaxes(0, 1)


def linear(
    requantize: Requantize,
    *,
    x: Codes,
    x_zero: int,
    weight: Codes,
    weight_zero: Integers,
    **fields: Any,
) -> Array:
    """Spec: AQ-BATCH-1."""
    steps = weight - weight_zero[:, None]
    acc = integer.accumulate(steps, (x - x_zero).T, layer="linear_batch")
    return requantize(acc, profile="exact", **activated(fields)).T


def of_channels(layer: Callable[..., Array], tensors: dict[str, Codes], **fields: Any) -> Array:
    """Take the images for channels of one, where a layer treats each channel alike."""
    shapes = {tensor.shape for tensor in tensors.values()}
    if len(shapes) > 1:
        raise InputError("batch: both tensors need one shape")
    (shape,) = shapes
    whole = {name: tensor.reshape(-1, *shape[2:]) for name, tensor in tensors.items()}
    made = layer(**whole, **activated(fields))
    return made.reshape(*shape[:2], *made.shape[1:])
