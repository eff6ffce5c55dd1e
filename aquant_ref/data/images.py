"""A labelled set of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError

Array = NDArray[Any]


@dataclass(frozen=True)
class Images:
    """`labels` int64 (N,) into `classes`, and images in memory or decoded when they are asked for.

    `source` is a uint8 array (N, C, H, W), or a function from one index to a uint8 array (C, H, W).
    """

    source: Array | Callable[[int], Array]
    labels: Array
    classes: tuple[str, ...]
    name: str

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Any) -> Array:
        """The images at `indices`, uint8 (n, C, H, W)."""
        if isinstance(self.source, np.ndarray):
            return np.asarray(self.source[indices])
        return np.stack([self.source(int(i)) for i in indices])

    def chosen(self, indices: Array) -> Images:
        """The images at `indices`, in that order."""
        source = self.source
        if isinstance(source, np.ndarray):
            return Images(source[indices], self.labels[indices], self.classes, self.name)
        return Images(
            lambda i: source(int(indices[i])), self.labels[indices], self.classes, self.name
        )

    def limited(self, count: int) -> Images:
        """The first `count` images; raises InputError if there are fewer."""
        if not 0 <= count <= len(self):
            raise InputError(f"{self.name}: has {len(self)} images, not {count}")
        first = self.source[:count] if isinstance(self.source, np.ndarray) else self.source
        return Images(first, self.labels[:count], self.classes, self.name)
