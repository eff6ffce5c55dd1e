from __future__ import annotations

import hashlib

import numpy as np
import pytest

from aquant_ref import data
from aquant_ref.data import shapes

# The bytes are the same on every platform: these never change, or the weights must be retrained.
DIGESTS = {
    "train": "84268cdaa00dfb7bf7720d378362febe50d47404273422905a57ddf35154efed",
    "test": "1c32ed97ad5ba4c6aac963e95844d38977e923f6e3307b317f3654384bd67c22",
}


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_bytes_are_those_of_every_other_platform(split: str) -> None:
    images = data.load("shapes", split=split)
    digest = hashlib.sha256(images.batch(np.arange(len(images))).tobytes())
    digest.update(images.labels.astype("<i8").tobytes())
    assert digest.hexdigest() == DIGESTS[split]


def test_splitmix64_gives_the_published_sequence() -> None:
    # the first outputs for seed 0, as in the reference code by Vigna
    first = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert shapes.splitmix64(np.arange(3, dtype=np.uint64)).tolist() == first


def test_an_image_does_not_depend_on_the_others() -> None:
    together, labels = shapes.draw("test", np.arange(30))
    alone, label = shapes.draw("test", np.array([17]))
    assert alone[0].tobytes() == together[17].tobytes()
    assert label[0] == labels[17]


def test_every_class_is_there_as_often_and_the_splits_differ() -> None:
    train, test = (data.load("shapes", split=split) for split in ("train", "test"))
    assert np.bincount(train.labels).tolist() == [1000] * 10
    assert np.bincount(test.labels).tolist() == [200] * 10
    assert train.classes == test.classes == shapes.CLASSES
    known = {image.tobytes() for image in train.batch(np.arange(len(train)))}
    assert not any(image.tobytes() in known for image in test.batch(np.arange(len(test))))


def test_rotations_are_rotations() -> None:
    assert (np.square(shapes.ROTATIONS).sum(axis=1) == shapes.UNIT**2).all()
    assert len(np.unique(shapes.ROTATIONS, axis=0)) == len(shapes.ROTATIONS) == 36


def area(name: str) -> int:
    """Points of a figure of radius 40 quarter pixels, without rotation."""
    points = 2 * np.arange(64, dtype=np.int32) - 63
    u, v = points[None, :] * shapes.UNIT, points[:, None] * shapes.UNIT
    radius = np.int32(40 * shapes.UNIT)
    return int(shapes.FIGURES[name](u + 0 * v, v + 0 * u, radius).sum())


def test_the_figures_have_the_areas_of_their_formulas() -> None:
    square = 40**2 / 4  # points are 2 quarter pixels apart in both directions
    expected = {
        "disc": np.pi,
        "ring": np.pi * 3 / 4,
        "square": (10 / 6) ** 2,
        "frame": (10 / 6) ** 2 * 3 / 4,
        "bars": 2 * 2 * 0.5,
        "plus": 4 * 4 / 7 - (4 / 7) ** 2,
    }
    for name, ratio in expected.items():
        assert area(name) == pytest.approx(ratio * square, rel=0.1), name
