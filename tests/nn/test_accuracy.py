from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.data import Images
from aquant_ref.errors import InputError
from aquant_ref.nn.accuracy import top1

LABELS = np.array([1, 0, 2, 1])
LOGITS = np.array([[0, 9, 1], [5, 5, 0], [3, 2, 1], [0, 0, 7]], np.int64)  # classes 1, 0, 0 and 2


def images(count: int) -> Images:
    """Images whose first pixel is their number."""
    pixels = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return Images(pixels, LABELS[:count], ("a", "b", "c"), "numbered")


@pytest.mark.parametrize("batch", [1, 3, 4, 100])
def test_accuracy_counts_the_images_whose_largest_logit_is_their_label(batch: int) -> None:
    """Of equal logits the first counts, here that of the second image."""
    assert top1(lambda pixels: LOGITS[pixels[:, 0, 0, 0]], images(4), batch=batch) == 2 / 4


def test_accuracy_of_no_images_is_refused() -> None:
    with pytest.raises(InputError, match="images: needs at least one"):
        top1(lambda pixels: LOGITS[pixels[:, 0, 0, 0]], images(0))


def test_logits_that_are_nan_are_no_class() -> None:
    with pytest.raises(InputError, match="logits hold NaN"):
        top1(lambda pixels: np.full((len(pixels), 3), np.nan), images(4))


def test_labels_beyond_the_classes_are_refused() -> None:
    with pytest.raises(InputError, match="labels"):
        top1(lambda pixels: np.zeros((len(pixels), 2)), images(4))


def test_logits_of_other_images_are_refused() -> None:
    with pytest.raises(InputError, match="needs logits"):
        top1(lambda pixels: np.zeros((len(pixels) + 1, 3)), images(4))
