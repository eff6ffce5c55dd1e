from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from aquant_ref import data
from aquant_ref.data import cifar10, folder
from aquant_ref.errors import InputError
from tests.data import sets

rng = np.random.default_rng(0)
RECORDS = sets.RECORDS


def records(count: int = RECORDS) -> bytes:
    rows = rng.integers(0, 256, (count, cifar10.RECORD)).astype(np.uint8)
    rows[:, 0] = np.arange(count) % 10
    return rows.tobytes()


def binary_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    for names in cifar10.FILES.values():
        for name in names:
            (path / name).write_bytes(records())
    return path


def archive(path: Path, source: Path) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        tar.add(source, arcname="cifar-10-batches-bin")
    return path


def picture(mode: str = "RGB", size: tuple[int, int] = (32, 32), form: str = "PNG") -> bytes:
    pixels = rng.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, form)
    return stream.getvalue()


def class_folders(path: Path, content: Callable[[], bytes] = picture) -> Path:
    for split in ("train", "test"):
        for name in cifar10.CLASSES:
            (path / split / name).mkdir(parents=True)
            for number in range(2):
                (path / split / name / f"{number}.png").write_bytes(content())
    return path


def class_zips(path: Path) -> Path:
    path.mkdir()
    for split in ("train", "test"):
        with zipfile.ZipFile(path / f"small-{split}.zip", "w") as z:
            for name in reversed(cifar10.CLASSES):  # the order in the archive does not count
                z.writestr(f"top/{name}/1.png", picture())
                z.writestr(f"top/{name}/0.png", picture())
    return path


def refused(spec: str, *words: str, split: str = "train") -> None:
    with pytest.raises(InputError) as caught:
        data.load(spec, split=split)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


# CIFAR-10


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


def test_a_truncated_or_damaged_archive_is_refused(tmp_path: Path) -> None:
    whole = archive(tmp_path / "c.tar.gz", binary_folder(tmp_path / "bin")).read_bytes()
    path = tmp_path / "cut.tar.gz"
    for length in (len(whole) // 2, len(whole) - 20, 100):
        path.write_bytes(whole[:length])
        refused(f"cifar10:{path}", "cut.tar.gz")
    path.write_bytes(b"")
    refused(f"cifar10:{path}", "cut.tar.gz", "empty file")
    path.write_bytes(b"not an archive at all")
    refused(f"cifar10:{path}", "cut.tar.gz", "not a tar.gz")
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 255
    path.write_bytes(bytes(damaged))
    refused(f"cifar10:{path}", "cut.tar.gz")


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


def test_a_truncated_zip_or_two_of_them_are_refused(tmp_path: Path) -> None:
    path = class_zips(tmp_path / "set")
    whole = (path / "small-train.zip").read_bytes()
    (path / "small-train.zip").write_bytes(whole[: len(whole) // 2])
    refused(f"cifar10:{path}", "small-train.zip")
    refused(f"cifar10:{path / 'small-test.zip'}", "give the folder")
    (path / "other-train.zip").write_bytes(whole)
    refused(f"cifar10:{path}", "2 files", "needs one")
    (path / "small-train.zip").unlink()
    (path / "other-train.zip").unlink()
    refused(f"cifar10:{path}", "holds neither")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_entry_is_refused_however_it_is_compressed(tmp_path: Path, method: int) -> None:
    """Past bug: a traceback of lzma."""
    path = tmp_path / "train.zip"
    with zipfile.ZipFile(path, "w", method) as z:
        z.writestr("frog/0.png", picture())
    whole = bytearray(path.read_bytes())
    start = 30 + len("frog/0.png") + 12
    for place in range(start, start + 60, 7):
        damaged = bytearray(whole)
        damaged[place : place + 40] = bytes(40)
        path.write_bytes(bytes(damaged))
        refused(f"cifar10:{tmp_path}", "train.zip", "damaged")


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


# IDX


def idx_file(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def idx_folder(path: Path, *, zipped: bool = False) -> tuple[Path, np.ndarray]:
    path.mkdir()
    images = rng.integers(0, 256, (6, 28, 28)).astype(np.uint8)
    for prefix in ("train", "t10k"):
        for name, array in (
            ("images-idx3-ubyte", images),
            ("labels-idx1-ubyte", np.arange(6, dtype=np.uint8)),
        ):
            content = idx_file(array)
            if zipped:
                (path / f"{prefix}-{name}.gz").write_bytes(gzip.compress(content))
            else:
                (path / f"{prefix}-{name}").write_bytes(content)
    return path, images


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_images_get_a_frame_and_three_equal_channels(tmp_path: Path, zipped: bool) -> None:
    path, originals = idx_folder(tmp_path / "mnist", zipped=zipped)
    images = data.load(f"idx:{path}", split="test")
    batch = images.batch(np.arange(6))
    assert batch.shape == (6, 3, 32, 32)
    for channel in range(3):
        assert (batch[:, channel, 2:30, 2:30] == originals).all()
    assert batch.sum() == 3 * originals.astype(np.int64).sum()
    assert images.labels.tolist() == list(range(6))


def test_idx_files_beside_folders_of_their_names_are_found(tmp_path: Path) -> None:
    """As Kaggle packs MNIST: one name with a dot, the other that of a folder."""
    path, originals = idx_folder(tmp_path / "mnist")
    for file in list(path.iterdir()):
        file.rename(path / file.name.replace("-idx", ".idx"))
        file.mkdir()
        (file / file.name).write_bytes(b"")
    data.check(f"idx:{path}")
    images = data.load(f"idx:{path}", split="train")
    assert (images.batch(np.arange(6))[:, 0, 2:30, 2:30] == originals).all()


def test_idx_files_that_are_none_are_refused(tmp_path: Path) -> None:
    path, originals = idx_folder(tmp_path / "mnist")
    file = path / "train-images-idx3-ubyte"
    for content, word in (
        (idx_file(originals)[:-1], "truncated"),
        (b"\0\0", "not an IDX"),
        (b"\1\0" + idx_file(originals)[2:], "not an IDX"),
        (b"\0\0\x0d\x03" + idx_file(originals)[4:], "unsigned bytes"),
        (idx_file(originals[:5]), "6 labels for 5 images"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**31, 2**31), "claims"),
    ):
        file.write_bytes(content)
        refused(f"idx:{path}", word)
    file.unlink()
    refused(f"idx:{path}", "lacks train-images")
    file.with_suffix(".gz").write_bytes(b"")
    (path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_file(originals))[:-30])
    refused(f"idx:{path}", "truncated")


# Image folders


def test_an_image_folder_is_resized_and_its_centre_taken(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for name in ("b", "a"):
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / "x.png").write_bytes(picture(size=(300, 280)))
    (tmp_path / "val" / "a" / "grey.png").write_bytes(picture("L", (300, 600)))
    images = data.load(f"folder:{tmp_path}", split="test")
    assert images.classes == ("a", "b")
    assert images.labels.tolist() == [0, 0, 1]
    assert images.batch([0, 1, 2]).shape == (3, 3, 224, 224)
    grey = images.batch([0])[0]
    assert (grey[0] == grey[1]).all()


def test_an_image_of_256_pixels_is_cropped_and_not_resampled(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(picture(size=(256, 300)))
    with Image.open(path, formats=["PNG"]) as image:
        pixels = np.asarray(image)
    assert folder.read(path).tolist() == pixels[38:262, 16:240].transpose(2, 0, 1).tolist()


def test_a_damaged_image_is_refused_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "val" / "a").mkdir(parents=True)
    (tmp_path / "val" / "a" / "x.jpg").write_bytes(picture(size=(256, 256), form="JPEG")[:500])
    images = data.load(f"folder:{tmp_path}", split="test")
    with pytest.raises(InputError, match=r"x\.jpg"):
        images.batch([0])


def test_folders_without_images_are_refused(tmp_path: Path) -> None:
    refused(f"folder:{tmp_path}", "no class folders")
    (tmp_path / "train").mkdir()
    refused(f"folder:{tmp_path}", "lacks a folder val", split="test")


# What --data says


@pytest.mark.parametrize("spec", ["mnist", "cifar10", "cifar10:", "shapes:x", "folder", ""])
def test_a_set_that_is_none_is_refused(spec: str) -> None:
    refused(spec, "data")


def test_a_split_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="split"):
        data.load("shapes", split="validation")


def test_a_set_limits_itself() -> None:
    images = data.load("shapes", split="test")
    assert len(images.limited(7)) == 7
    assert images.limited(7).batch(np.arange(7)).shape == (7, 3, 32, 32)
    with pytest.raises(InputError, match="2000 images"):
        images.limited(2001)


def test_the_jpeg_zips_of_cifar10_are_read(cifar10_jpeg: Path) -> None:
    images = data.load(f"cifar10:{cifar10_jpeg}", split="test")
    assert len(images) == 10_000
    assert np.bincount(images.labels).tolist() == [1000] * 10
