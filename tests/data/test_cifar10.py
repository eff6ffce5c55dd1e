from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from aquant_ref import data
from aquant_ref.data import cifar10
from tests.data.files import (
    RECORDS,
    archive,
    binary_folder,
    class_zips,
    picture,
    records,
    refused,
)


def class_folders(path: Path, content: Callable[[], bytes] = picture) -> Path:
    for split in ("train", "test"):
        for name in cifar10.CLASSES:
            (path / split / name).mkdir(parents=True)
            for number in range(2):
                (path / split / name / f"{number}.png").write_bytes(content())
    return path


def test_binary_folder_and_archive_give_the_same_images(tmp_path: Path) -> None:
    source = binary_folder(tmp_path / "bin")
    tar = archive(tmp_path / "cifar.tar.gz", source)
    for split, count in (("train", 5 * RECORDS), ("test", RECORDS)):
        one, two = (data.load(f"cifar10:{path}", split=split) for path in (source, tar))
        assert len(one) == count
        assert one.batch(np.arange(count)).tobytes() == two.batch(np.arange(count)).tobytes()
        assert one.labels.tolist() == two.labels.tolist()
    raw = np.frombuffer((source / "test_batch.bin").read_bytes(), np.uint8).reshape(RECORDS, -1)
    third = one.batch([3])[0]
    assert third[0, 0].tolist() == raw[3, 1:33].tolist()  # the red plane, first row
    assert third[2, 31].tolist() == raw[3, -32:].tolist()  # the blue plane, last row
    assert one.labels[3] == raw[3, 0]


def test_the_folder_inside_the_unpacked_archive_is_found(tmp_path: Path) -> None:
    binary_folder(tmp_path / "cifar-10-batches-bin")
    assert len(data.load(f"cifar10:{tmp_path}", split="test")) == RECORDS


@pytest.mark.parametrize("make", [class_folders, class_zips])
def test_class_folders_and_zips_are_read_in_the_order_of_class_and_name(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path / "set")
    images = data.load(f"cifar10:{path}", split="test")
    assert images.labels.tolist() == [label for label in range(10) for _ in range(2)]
    if make is class_folders:
        with Image.open(path / "test" / "cat" / "1.png", formats=["PNG"]) as image:
            expected = np.asarray(image).transpose(2, 0, 1)
    else:
        with zipfile.ZipFile(path / "small-test.zip") as z, z.open("top/cat/1.png") as stream:
            expected = np.asarray(Image.open(stream, formats=["PNG"])).transpose(2, 0, 1)
    assert images.batch([7])[0].tolist() == expected.tolist()


def test_progress_wraps_the_decoding(tmp_path: Path) -> None:
    labels = []

    def progress(steps: range, label: str) -> range:
        labels.append((len(steps), label))
        return steps

    path = class_zips(tmp_path / "set")
    data.load(f"cifar10:{path}", split="train", progress=progress)
    assert labels == [(20, "cifar10 train")]


def test_the_pickled_version_is_refused_and_not_read(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    (tmp_path / "py").mkdir()
    (tmp_path / "py" / "data_batch_1").write_bytes(pickle.dumps(Bomb()))
    refused(f"cifar10:{tmp_path / 'py'}", "pickled", "binary")
    refused(f"cifar10:{archive(tmp_path / 'py.tar.gz', tmp_path / 'py')}", "pickled")
    assert not (tmp_path / "exploded").exists()


def test_missing_or_truncated_binary_files_are_refused(tmp_path: Path) -> None:
    refused(f"cifar10:{tmp_path / 'none'}", "none", "no such")
    source = binary_folder(tmp_path / "bin")
    (source / "data_batch_3.bin").write_bytes(records()[:-1])
    refused(f"cifar10:{source}", "data_batch_3.bin", "truncated")
    for count, word in ((7, "truncated"), (RECORDS + 1, "too long")):  # whole records
        (source / "data_batch_3.bin").write_bytes(records(count))
        refused(f"cifar10:{source}", "data_batch_3.bin", word)
        refused(f"cifar10:{archive(tmp_path / 'b.tar.gz', source)}", "data_batch_3.bin", word)
    (source / "data_batch_3.bin").unlink()
    refused(f"cifar10:{source}", "data_batch_3.bin")
    refused(f"cifar10:{archive(tmp_path / 'a.tar.gz', source)}", "lacks data_batch_3.bin")


def test_a_label_beyond_nine_is_refused(tmp_path: Path) -> None:
    source = binary_folder(tmp_path / "bin")
    (source / "test_batch.bin").write_bytes(b"\x0a" + records()[1:])
    refused(f"cifar10:{source}", "test_batch.bin", "label 10", split="test")
    (source / "data_batch_3.bin").write_bytes(b"\x0b" + records()[1:])
    refused(f"cifar10:{source}", "data_batch_3.bin", "label 11")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (picture("L"), "grey"),
        (picture("P"), "palette"),
        (picture("RGBA"), "RGBA"),
        (picture(size=(32, 31)), "32x31"),
        (picture()[:-40], "damaged"),
        (picture(form="JPEG")[:200], "damaged"),
        (b"", "not an image"),
        (b"GIF89a nonsense", "image"),
    ],
)
def test_an_image_that_is_none_of_cifar_is_refused_by_file(
    tmp_path: Path, content: bytes, word: str
) -> None:
    path = class_folders(tmp_path / "set")
    (path / "train" / "frog" / "1.png").write_bytes(content)
    refused(f"cifar10:{path}", "frog/1.png", word)


@pytest.mark.parametrize("error", [TypeError, KeyError, AttributeError, struct.error])
def test_whatever_pillow_raises_is_a_damaged_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Past bug: a TypeError for a rational number in a damaged TIFF."""

    def raises(image: Image.Image) -> None:
        raise error("from a plugin")

    path = class_folders(tmp_path / "set")
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", raises)
    refused(f"cifar10:{path}", "0.png", "is a damaged image", "from a plugin")


def test_a_class_that_is_none_of_cifar_and_an_empty_split_are_refused(tmp_path: Path) -> None:
    path = class_folders(tmp_path / "set")
    (path / "train" / "unicorn").mkdir()
    (path / "train" / "unicorn" / "0.png").write_bytes(picture())
    refused(f"cifar10:{path}", "unicorn")
    (tmp_path / "empty" / "train").mkdir(parents=True)
    refused(f"cifar10:{tmp_path / 'empty'}", "no class folders")


def test_an_image_that_would_unpack_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    refused(f"cifar10:{class_folders(tmp_path / 'set')}", "too large")


def test_the_jpeg_zips_of_cifar10_are_read(cifar10_jpeg: Path) -> None:
    images = data.load(f"cifar10:{cifar10_jpeg}", split="test")
    assert len(images) == 10_000
    assert np.bincount(images.labels).tolist() == [1000] * 10
