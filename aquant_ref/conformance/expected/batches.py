"""Compute layers for a batch of images, with an activation by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aquant_ref.conformance.expected import layers, pools
from aquant_ref.conformance.expected.activations import activation_range
from aquant_ref.conformance.expected.refusal import need

ENDS = ("scale", "zero_point", "qmin", "qmax")


def _batch(of_image: Callable[..., tuple[Any]], *tensors: str, **more: str) -> Callable[..., Any]:
    """Return a function that computes image by image. Spec: AQ-BATCH-1."""

    def expected(*, activation: str, **fields: Any) -> tuple[Any]:
        batches = [fields.pop(name) for name in tensors]
        need(len({len(batch) for batch in batches}) == 1)
        fields |= more
        ends = {name: fields[name] for name in ENDS}
        fields["qmin"], fields["qmax"] = activation_range(activation=activation, **ends)
        images = [dict(zip(tensors, image, strict=True)) for image in zip(*batches, strict=True)]
        return ([of_image(**image, **fields)[0] for image in images],)

    return expected


conv2d_batch = _batch(layers.conv2d, "x", profile="ideal")
depthwise_batch = _batch(layers.depthwise, "x", profile="ideal")
linear_batch = _batch(layers.linear, "x", profile="ideal")
add_tensors_batch = _batch(layers.add_tensors, "a", "b")
avg_pool2d_batch = _batch(pools.avg_pool2d, "x")
