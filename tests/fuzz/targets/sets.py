"""Doors for data sets: CIFAR-10 in its forms, IDX files, folders of images."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image

from aquant_ref import data
from aquant_ref.data import cifar10
from tests.fuzz.mutate import values, zips
from tests.fuzz.mutate.pictures import PICTURES
from tests.fuzz.mutate.raw import raw
from tests.fuzz.mutate.tars import TAR, longer, zipped
from tests.fuzz.target import Target, Wrong

RECORDS = 2  # images in a binary file of CIFAR-10, which has 10,000
MOST_DECODED = 4


def look_at(spec: str, split: str) -> None:
    """Load a set and some of its images; raise Wrong where they are not as `Images` says."""
    images = data.load(spec, split=split)
    count = min(len(images), MOST_DECODED)
    some = images.batch(np.arange(count))
    if some.dtype != np.uint8 or some.ndim != 4 or len(some) != count:
        raise Wrong(f"images are {some.dtype} {some.shape}")
    labels = images.labels
    if labels.dtype != np.int64 or labels.shape != (len(images),):
        raise Wrong(f"labels are {labels.dtype} {labels.shape}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(images.classes):
        raise Wrong("labels leave the classes")


def pixels(mode: str = "RGB", size: tuple[int, int] = (32, 32)) -> Image.Image:
    """An image with something in it."""
    ramp = np.arange(size[0] * size[1] * 3, dtype=np.uint32).astype(np.uint8)
    image = Image.fromarray(ramp.reshape(size[1], size[0], 3))
    if mode.startswith("I"):
        return Image.fromarray(np.arange(size[0] * size[1], dtype=np.uint16).reshape(size[::-1]))
    return image.convert(mode)


def encoded(mode: str, form: str, size: tuple[int, int] = (32, 32), **options: Any) -> bytes:
    """An image file."""
    stream = io.BytesIO()
    pixels(mode, size).save(stream, form, **options)
    return stream.getvalue()


# CIFAR-10

WHOLE = encoded("RGB", "PNG")


def records() -> bytes:
    """A binary file of CIFAR-10, with fewer records."""
    count = np.arange(RECORDS * cifar10.RECORD, dtype=np.uint32).astype(np.uint8)
    rows = count.reshape(RECORDS, -1)
    rows[:, 0] = range(RECORDS)
    return rows.tobytes()


def load_binary(path: Path) -> None:
    """The file as that of the test images."""
    folder = path.with_name("set")
    folder.mkdir()
    path.rename(folder / "test_batch.bin")
    load_cifar10(folder)


def load_cifar10(path: Path) -> None:
    """The test images at `path`."""
    with mock.patch.object(cifar10, "IMAGES_PER_FILE", RECORDS):
        look_at(f"cifar10:{path}", "test")


def _tars() -> dict[str, bytes]:
    made = {}
    for name, form in (("pax", tarfile.PAX_FORMAT), ("gnu", tarfile.GNU_FORMAT)):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
            for file in ("batches.meta.txt", "test_batch.bin"):
                member = tarfile.TarInfo(f"cifar-10-batches-bin/{file}")
                content = records() if file == "test_batch.bin" else b"airplane\n"
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        made[name] = gzip.compress(stream.getvalue(), 1, mtime=0)
    return made


def _class_zip() -> dict[str, bytes]:
    return {"png": zips.write([(f"top/{name}/0.png", WHOLE) for name in cifar10.CLASSES])}


def load_class_zip(path: Path) -> None:
    """The archive as that of the test images."""
    folder = path.with_name("set")
    folder.mkdir()
    path.rename(folder / "small-test.zip")
    load_cifar10(folder)


def load_class_folder(path: Path) -> None:
    """The image as the first of a set with one for each class."""
    for name in cifar10.CLASSES:
        folder = path.with_name("set") / "test" / name
        folder.mkdir(parents=True)
        if name != cifar10.CLASSES[0]:
            (folder / "0.png").write_bytes(WHOLE)
    path.rename(path.with_name("set") / "test" / cifar10.CLASSES[0] / path.name)
    load_cifar10(path.with_name("set"))


IMAGE_INSIDE = zips.inside(*PICTURES, suffix=".png")


# IDX


def idx(shape: tuple[int, ...], content: bytes) -> bytes:
    """An IDX file of unsigned bytes."""
    return bytes((0, 0, 8, len(shape))) + struct.pack(f">{len(shape)}I", *shape) + content


def load_idx(what: str, ending: str) -> Callable[[Path], None]:
    """A door to one file of a set, the other one being whole."""

    def load(path: Path) -> None:
        own = path.with_name("set")
        own.mkdir()
        whole = {"images-idx3": idx((2, 4, 4), bytes(range(32))), "labels-idx1": idx((2,), b"\1\0")}
        for name, content in whole.items():
            (own / f"t10k-{name}-ubyte").write_bytes(content)
        (own / f"t10k-{what}-ubyte").unlink()
        path.rename(own / f"t10k-{what}-ubyte{ending}")
        look_at(f"idx:{own}", "test")

    return load


def _idx_images() -> dict[str, bytes]:
    return {"two images": idx((2, 4, 4), bytes(range(32))), "28x28": idx((2, 28, 28), bytes(1568))}


def _zipped(seeds: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: gzip.compress(content, 1, mtime=0) for name, content in seeds.items()}


# Folders of images

ENDINGS = (
    *((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"II", ".tif"), (b"MM", ".tif")),
    *((b"BM", ".bmp"), (b"RIFF", ".webp"), (b"GIF", ".gif"), (b"P", ".ppm")),
)


def _images() -> dict[str, bytes]:
    made = {
        f"png {mode}": encoded(mode, "PNG", (9, 7))
        for mode in ("RGB", "L", "P", "1", "LA", "RGBA", "I;16")
    }
    made |= {f"jpeg {mode}": encoded(mode, "JPEG", (9, 7)) for mode in ("RGB", "L", "CMYK")}
    made["jpeg progressive"] = encoded("RGB", "JPEG", (20, 20), progressive=True)
    made |= {f"tiff {mode}": encoded(mode, "TIFF", (9, 7)) for mode in ("RGB", "L", "I;16", "CMYK")}
    made |= {
        f"tiff {how}": encoded("RGB", "TIFF", (9, 7), compression=how)
        for how in ("tiff_lzw", "tiff_deflate", "packbits")
    }
    for form, modes in (("BMP", ("RGB", "P", "1")), ("GIF", ("P",)), ("PPM", ("RGB", "L", "1"))):
        made |= {f"{form.lower()} {mode}": encoded(mode, form, (9, 7)) for mode in modes}
    made |= {f"webp {mode}": encoded(mode, "WEBP", (9, 7)) for mode in ("RGB", "RGBA")}
    # what Pillow reads as well, and what must not be read by its content alone
    for form in ("EPS", "PCX", "TGA", "ICO", "PDF", "DDS", "SGI", "XBM", "MPO"):
        mode = {"XBM": "1"}.get(form, "RGB")
        made[f"{form.lower()} in a png"] = encoded(mode, form, (9, 7))
    return made


def load_image(path: Path) -> None:
    """The image as one of the training images of a set."""
    start = path.read_bytes()[:4]
    ending = next((ending for mark, ending in ENDINGS if start.startswith(mark)), ".png")
    whole = encoded("RGB", "PNG", (8, 8))
    for split in ("train", "val"):
        for name in ("a", "b"):
            folder = path.with_name("set") / split / name
            folder.mkdir(parents=True)
            if (split, name) != ("train", "b"):
                (folder / "1.png").write_bytes(whole)
    path.rename(path.with_name("set") / "train" / "b" / f"case{ending}")
    look_at(f"folder:{path.with_name('set')}", "train")


NAMES = (
    *("train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png", "test/a/1.png", "a/1.png"),
    *(
        "train/.hidden/1.png",
        "__MACOSX/a/1.png",
        "train/.ipynb_checkpoints/1.png",
        "train/a/._1.png",
    ),
    *(
        "train/a/deep/1.png",
        "val/c/1.png",
        "train/c/1.tif",
        "a.png/1.png",
        "train/1.png",
        "b/2.JPG",
    ),
    *(
        "train/é/1.png",
        "train/\n/1.png",
        "train/\x1b[2J/1.png",
        "train/x y/1.png",
        "airplane/1.png",
    ),
    *(
        "train/cat/1.png",
        "test/cat/1.png",
        "train/\udcff/1.png",
        "train/a/Thumbs.db",
        "val/a/.DS_Store",
    ),
    *(
        "small-train.zip",
        "small-test.zip",
        "data_batch_1",
        "cifar-10-batches-py/x",
        "test_batch.bin",
    ),
    *("train-images-idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images-idx3-ubyte.gz"),
)
CONTENTS = (
    "png",
    "empty",
    "text",
    "folder",
    "link to itself",
    "link to nothing",
    "link up",
    "fifo",
)


def _trees() -> dict[str, bytes]:
    split = dict.fromkeys(NAMES[:4], "png")
    plain = {f"{c}/{k}.png": "png" for c in "ab" for k in range(6)}
    both = {"split": split, "no split": plain, "odd": dict.fromkeys(NAMES[:12], "png")}
    return {
        f"{name}, {kind}": values.written({"kind": kind, "tree": tree})
        for name, tree in both.items()
        for kind in ("folder", "cifar10", "idx")
    }


def rename(rng: Any, given: bytes) -> bytes:
    """A file more in the tree, or another content of one."""
    case = json.loads(given)
    tree = case["tree"]
    name = rng.choice((*NAMES, *tree))
    tree[name] = rng.choice(CONTENTS)
    if rng.random() < 0.3:
        del tree[rng.choice(sorted(tree))]
    return values.written(case)


def load_tree(path: Path) -> None:
    """A folder with files of these names and contents, both splits of it."""
    case = json.loads(path.read_bytes())
    root = path.with_name("set")
    root.mkdir()
    for name, content in case["tree"].items():
        _make(root / name, content)
    kind = case["kind"]
    for split in ("train", "test"):
        look_at(f"{kind}:{root}", split)


def _make(path: Path, content: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if content == "png":
            path.write_bytes(WHOLE)
        elif content == "folder":
            path.mkdir()
        elif content == "fifo":
            os.mkfifo(path)
        elif content.startswith("link"):
            target = {"link to itself": path.name, "link up": "..", "link to nothing": "nothing"}
            path.symlink_to(target[content])
        else:
            path.write_bytes(b"" if content == "empty" else b"text\n")
    except (OSError, ValueError):  # the system does not have such a name
        return


TARGETS = (
    Target(
        "cifar10-binary", lambda: {"two records": records()}, (raw,), load_binary, ".bin", quick=30
    ),
    Target(
        "cifar10-tar",
        _tars,
        (zipped(*TAR), zipped(*TAR), zipped(*TAR), raw, longer),
        load_cifar10,
        ".tar.gz",
        quick=15,
    ),
    Target(
        "cifar10-zip",
        _class_zip,
        (*zips.ZIP, IMAGE_INSIDE, IMAGE_INSIDE),
        load_class_zip,
        ".zip",
        quick=15,
    ),
    Target(
        "cifar10-image",
        lambda: {"png": WHOLE, "jpeg": encoded("RGB", "JPEG")},
        PICTURES,
        load_class_folder,
        ".png",
        quick=10,
    ),
    Target("idx-images", _idx_images, (raw,), load_idx("images-idx3", ""), quick=40),
    Target(
        "idx-labels",
        lambda: {"two labels": idx((2,), b"\1\0")},
        (raw,),
        load_idx("labels-idx1", ""),
        quick=40,
    ),
    Target(
        "idx-gz",
        lambda: _zipped(_idx_images()),
        (raw, zipped(raw), zipped(raw), longer),
        load_idx("images-idx3", ".gz"),
        quick=15,
    ),
    Target("folder-image", _images, PICTURES, load_image, quick=15),
    Target("folder-tree", _trees, (rename,), load_tree, structured=True, quick=10),
)
