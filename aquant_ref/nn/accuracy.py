"""Measure how many labelled images a network classifies correctly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from aquant_ref.checks import check_labels, integer, takes_functions
from aquant_ref.errors import InputError
from aquant_ref.progress import Progress, quiet
from aquant_ref.typing import Array, Labels, Pixels, Reals

if TYPE_CHECKING:
    from aquant_ref.nn.graph import Graph


@runtime_checkable
class Labelled(Protocol):
    """Describe what training and accuracy read of a data set, such as `aquant_ref.data.Images`."""

    @property
    def labels(self) -> Labels:
        """Return class numbers, int64 (N,)."""
        ...

    def __len__(self) -> int: ...

    def batch(self, indices: Any) -> Pixels:
        """Return the images at `indices`, uint8 (n, C, H, W)."""
        ...


def float_logits(graph: Graph, parameters: Mapping[str, Reals], images: Pixels) -> Reals:
    """Return the logits (N, classes) of the float network for uint8 images (N, C, H, W)."""
    return graph.run(parameters, graph.to_float(images))


@takes_functions
def top1(
    run: Callable[[Pixels], Array],
    images: Labelled,
    *,
    batch: int = 128,
    progress: Progress = quiet,
) -> float:
    """Return the fraction of images whose largest logit is that of their label.

    `run` computes logits (n, classes) of uint8 images (n, C, H, W). Raise InputError without
    images, for labels that are not classes, and for logits that are NaN.
    """
    integer("batch", batch, 1)
    if len(images) == 0:
        raise InputError("images: needs at least one, got none")
    correct = 0
    for start in progress(range(0, len(images), batch), "top-1"):
        indices = np.arange(start, min(start + batch, len(images)))
        logits = run(images.batch(indices))
        if logits.ndim != 2 or len(logits) != len(indices):
            raise InputError(
                f"accuracy: needs logits ({len(indices)}, classes), got shape {logits.shape}"
            )
        if bool(np.isnan(logits).any()):  # argmax would return class 0
            raise InputError("accuracy: the logits hold NaN")
        if start == 0:
            check_labels(images.labels, len(images), logits.shape[1])
        correct += int(np.sum(logits.argmax(axis=1) == images.labels[indices]))
    return correct / len(images)
