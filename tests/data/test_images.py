"""A labelled set of images is what it says, whoever makes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.data import Images
from aquant_ref.errors import InputError

CODES = np.zeros((3, 2, 4, 4), np.uint8)
LABELS = np.array([0, 1, 1])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"source": CODES.astype(np.float32)}, r"need to be uint8 \(N, C, H, W\), got float32"),
        ({"source": CODES.astype(np.int8)}, "got int8"),
        ({"source": CODES.astype(np.uint16)}, "got uint16"),
        ({"source": CODES.astype(bool)}, "got bool"),
        ({"source": CODES[0]}, r"got uint8 \(2, 4, 4\)"),
        ({"source": CODES[:, :, :0]}, r"got uint8 \(3, 2, 0, 4\)"),
        ({"source": CODES.tolist()}, "got list"),
        ({"source": CODES[:2]}, "has 2 images and 3 labels"),
        ({"labels": LABELS[:2]}, "has 3 images and 2 labels"),
        ({"labels": LABELS.astype(np.float64)}, "labels need to be integers"),
        ({"labels": LABELS.astype(bool)}, "labels need to be integers"),
        ({"labels": LABELS[:, None]}, r"got int64 \(3, 1\)"),
        ({"labels": np.eye(3, dtype=np.int64)}, r"got int64 \(3, 3\)"),
        ({"labels": [0, 1, 1]}, "got list"),
        ({"labels": np.array([0, -1, 1])}, "label -1, of 2 classes"),
        ({"labels": np.array([0, 2, 1])}, "label 2, of 2 classes"),
        ({"labels": np.array([0, 2**63, 1], np.uint64)}, f"label {2**63}, of 2 classes"),
        ({"classes": "ab"}, "classes need to be a tuple of names"),
        ({"classes": ["a", "b"]}, "classes need to be a tuple of names"),
        ({"classes": (0, 1)}, "classes need to be a tuple of names"),
        ({"classes": ()}, "label 0, of 0 classes"),
        ({"name": None}, "name: needs text"),
    ],
)
def test_what_is_no_labelled_set_is_refused_when_it_is_made(
    changed: dict[str, Any], words: str
) -> None:
    given = {"source": CODES, "labels": LABELS, "classes": ("a", "b"), "name": "set"} | changed
    with pytest.raises(InputError, match=words):
        Images(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (CODES[0].astype(np.float32), r"uint8 \(C, H, W\), got float32"),
        (CODES, r"uint8 \(C, H, W\), got uint8 \(3, 2, 4, 4\)"),
        (CODES[0, 0], "got uint8"),
        (None, "got NoneType"),
    ],
)
def test_what_is_decoded_later_is_looked_at_when_it_is(given: Any, words: str) -> None:
    images = Images(lambda i: given, LABELS, ("a", "b"), "set")
    with pytest.raises(InputError, match=words):
        images.batch([0])
    with pytest.raises(InputError, match=words):
        images.chosen(np.array([1])).batch([0])


def test_images_of_two_sizes_are_refused() -> None:
    images = Images(lambda i: CODES[0, :, : i + 1], LABELS, ("a", "b"), "set")
    with pytest.raises(InputError, match=r"set: has images of shapes \(2, 1, 4\) and"):
        images.batch([0, 1])


def test_labels_of_any_integer_type_become_int64() -> None:
    for dtype in (np.uint8, np.int32, ">i2"):
        images = Images(CODES, LABELS.astype(dtype), ("a", "b"), "set")
        assert images.labels.dtype == np.int64
        assert images.labels.tolist() == [0, 1, 1]
