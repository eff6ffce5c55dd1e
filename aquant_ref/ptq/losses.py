"""What a pass minimises, for the output of a unit and that of the float network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np

from aquant_ref.typing import Reals


def block_error(output: Any, target: Reals) -> Any:
    """Return the squared error, summed over channels, averaged over images and positions."""
    difference = output - target
    return anp.sum(difference * difference) / (difference.size / difference.shape[1])


def error_2_4(output: Any, target: Reals) -> Any:
    """Return |error|^2.4, summed over channels, averaged over images and positions (BRECQ)."""
    difference = anp.abs(output - target)
    return anp.sum(difference**2.4) / (difference.size / difference.shape[1])


def divergence(logits: Any, target: Reals) -> Any:
    """Return KL(softmax(target) || softmax(logits)), averaged over the images (N, classes).

    Spec: AQ-STE-5.
    """
    wanted = _log_softmax(target, np)
    return anp.sum(np.exp(wanted) * (wanted - _log_softmax(logits, anp))) / len(target)


def _log_softmax(logits: Any, numbers: Any) -> Any:
    shifted = logits - numbers.max(logits, axis=1, keepdims=True)
    return shifted - numbers.log(numbers.sum(numbers.exp(shifted), axis=1, keepdims=True))


LOSSES: dict[str, Callable[[Any, Reals], Any]] = {
    "squares": block_error,
    "power 2.4": error_2_4,
    "logits": divergence,
}
