"""A labelled set of images in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Images:
    """`codes` uint8 (N, C, H, W), `labels` int64 (N,) into `classes`; `name` of the set."""

    codes: Array
    labels: Array
    classes: tuple[str, ...]
    name: str

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Any) -> Array:
        """The images at `indices`, uint8 (n, C, H, W)."""
        return self.codes[indices]
