"""A labelled set of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.checks import integer
from aquant_ref.errors import InputError

Array = NDArray[Any]


@dataclass(frozen=True)
class Images:
    """`labels` int64 (N,) into `classes`, and images in memory or decoded when they are asked for.

    `source` is a uint8 array (N, C, H, W), or a function from one index to a uint8 array (C, H, W).
    Labels of another integer type become int64. Raises InputError for all else: images or labels
    of another type or shape, numbers of them that differ, and labels that have no class.
    """

    source: Array | Callable[[int], Array]
    labels: Array
    classes: tuple[str, ...]
    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise InputError(f"name: needs text, got {self.name!r}")
        labels = self.labels
        if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu" or labels.ndim != 1:
            raise InputError(f"{self.name}: labels need to be integers (N,), got {_form(labels)}")
        classes = self.classes
        if not isinstance(classes, tuple) or not all(isinstance(each, str) for each in classes):
            raise InputError(f"{self.name}: classes need to be a tuple of names, got {classes!r}")
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(classes):
            wrong = next(int(each) for each in labels if not 0 <= int(each) < len(classes))
            raise InputError(f"{self.name}: has the label {wrong}, of {len(classes)} classes")
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))
        if callable(self.source):
            return
        self._check("images", self.source, 4)
        if len(self.source) != len(labels):
            raise InputError(f"{self.name}: has {len(self.source)} images, {len(labels)} labels")

    def _check(self, what: str, codes: Any, axes: int) -> Array:
        """Pixels of another type would be taken for codes that they are not."""
        right = isinstance(codes, np.ndarray) and codes.dtype == np.uint8 and codes.ndim == axes
        if not right or 0 in codes.shape[axes - 3 :]:
            form = "(N, C, H, W)" if axes == 4 else "(C, H, W)"
            raise InputError(f"{self.name}: {what} need to be uint8 {form}, got {_form(codes)}")
        return codes

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Any) -> Array:
        """The images at `indices`, uint8 (n, C, H, W).

        Raises InputError if a function of `source` gives something else, or images of more sizes
        than one.
        """
        if isinstance(self.source, np.ndarray):
            return np.asarray(self.source[indices])
        images = [self._check("images", self.source(int(i)), 3) for i in indices]
        if len({image.shape for image in images}) > 1:
            shapes = sorted({image.shape for image in images})
            raise InputError(f"{self.name}: has images of the shapes {shapes[0]} and {shapes[1]}")
        return np.stack(images)

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
        count = integer("images", count)
        if count > len(self):
            raise InputError(f"{self.name}: has {len(self)} images, not {count}")
        first = self.source[:count] if isinstance(self.source, np.ndarray) else self.source
        return Images(first, self.labels[:count], self.classes, self.name)


def _form(given: Any) -> str:
    if isinstance(given, np.ndarray):
        return f"{given.dtype} {given.shape}"
    return type(given).__name__
