"""Hold a labelled set of images, in memory or decoded on use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aquant_ref.checks import integer
from aquant_ref.errors import InputError, counted
from aquant_ref.typing import Integers, Labels, Pixels


@dataclass(frozen=True)
class Images:
    """N images with `labels`, int64 (N,), which number `classes`.

    `source` is a uint8 array (N, C, H, W), or a function from one index to a uint8 array (C, H, W).
    Labels of another integer type become int64. Raises InputError for images or labels of another
    type or shape, for different numbers of images and labels, and for labels without a class.
    """

    source: Pixels | Callable[[int], Pixels]
    labels: Labels
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
            raise InputError(
                f"{self.name}: has the label {wrong}, of "
                f"{counted(len(classes), 'class', 'classes')}"
            )
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))
        if callable(self.source):
            return
        self._check("images", self.source, 4)
        if len(self.source) != len(labels):
            raise InputError(
                f"{self.name}: has {counted(len(self.source), 'image')} and "
                f"{counted(len(labels), 'label')}"
            )

    def _check(self, what: str, codes: Any, axes: int) -> Pixels:
        """Raise InputError unless `codes` are pixels, uint8 with this number of axes."""
        right = isinstance(codes, np.ndarray) and codes.dtype == np.uint8 and codes.ndim == axes
        if not right or 0 in codes.shape[axes - 3 :]:
            form = "(N, C, H, W)" if axes == 4 else "(C, H, W)"
            raise InputError(f"{self.name}: {what} need to be uint8 {form}, got {_form(codes)}")
        return codes

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Any) -> Pixels:
        """Return the images at `indices`, uint8 (n, C, H, W).

        Raises InputError if a function `source` returns anything else, or images of several sizes.
        """
        if isinstance(self.source, np.ndarray):
            return np.asarray(self.source[indices])
        images = [self._check("images", self.source(int(i)), 3) for i in indices]
        if len({image.shape for image in images}) > 1:
            shapes = sorted({image.shape for image in images})
            raise InputError(f"{self.name}: has images of shapes {shapes[0]} and {shapes[1]}")
        return np.stack(images)

    def chosen(self, indices: Integers) -> Images:
        """Return the images at `indices`, in that order."""
        source = self.source
        if isinstance(source, np.ndarray):
            return Images(source[indices], self.labels[indices], self.classes, self.name)
        return Images(
            lambda i: source(int(indices[i])), self.labels[indices], self.classes, self.name
        )

    def limited(self, count: int) -> Images:
        """Return the first `count` images; raise InputError if there are fewer."""
        count = integer("images", count)
        if count > len(self):
            raise InputError(f"{self.name}: has {counted(len(self), 'image')}, not {count}")
        first = self.source[:count] if isinstance(self.source, np.ndarray) else self.source
        return Images(first, self.labels[:count], self.classes, self.name)


def _form(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    return type(value).__name__
