"""Class folders: what is passed over, what is refused by name, and how they are divided."""

from __future__ import annotations

import io
import os
import shutil
import socket
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aquant_ref import data
from aquant_ref.data import folder
from aquant_ref.errors import InputError
from tests.data import sets
from tests.data.files import picture

LITTER = (
    ".DS_Store",
    ".ipynb_checkpoints/0-checkpoint.png",
    "._0.png",
    "@eaDir/0.png/thumb.jpg",
    "Thumbs.db",
    "__MACOSX/a/._0.png",
    "desktop.ini",
)


def litter(path: Path) -> None:
    """Put what systems leave behind into every folder and archive of a set."""
    for archive in [*path.rglob("*.zip"), *path.rglob("*.gz")]:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive, "a") as z:
                for name in LITTER:
                    for folder in ("", "top/", "top/cat/"):
                        z.writestr(folder + name, b"x")
        elif archive.name.endswith(".tar.gz"):
            with tarfile.open(archive) as old:
                members = [(m, old.extractfile(m).read()) for m in old]
            with tarfile.open(archive, "w:gz") as new:
                new.addfile(tarfile.TarInfo("__MACOSX/data_batch_1.bin"))
                new.addfile(tarfile.TarInfo("._data_batch_1.bin"))
                for member, content in members:
                    new.addfile(member, io.BytesIO(content))
    for place in [path, *(each for each in path.rglob("*") if each.is_dir())]:
        for name in (*LITTER, "._small-train.zip"):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(b"x")


@pytest.mark.parametrize("make", sets.MAKERS, ids=lambda make: make.__name__)
def test_what_systems_leave_behind_changes_no_set(
    tmp_path: Path, make: Callable[[Path], str]
) -> None:
    """Past bug: `.ipynb_checkpoints` became class 0 and shifted all others."""
    clean, littered = make(tmp_path / "clean"), make(tmp_path / "littered")
    litter(tmp_path / "littered")
    for split in data.SPLITS:
        one, two = (data.load(spec, split=split) for spec in (clean, littered))
        assert one.classes == two.classes
        assert one.labels.tolist() == two.labels.tolist()
        every = np.arange(len(one))
        assert one.batch(every).tobytes() == two.batch(every).tobytes()


# What is wrong with a class folder, and what the refusal says. `folder` is that of class "b".


def empty(folder: Path) -> str:
    for each in folder.iterdir():
        each.unlink()
    return f"{folder}: is a class without images"


def hidden_alone(folder: Path) -> str:
    (folder / "0.png").rename(folder / "._0.png")
    for each in folder.glob("[0-9]*"):
        each.unlink()
    return f"{folder}: is a class without images"


def nested(folder: Path) -> str:
    (folder / "inner").mkdir()
    shutil.copy(folder / "0.png", folder / "inner/1.png")
    return f"{folder}/inner: is a folder, but a class folder needs only images"


def nested_alone(folder: Path) -> str:
    (folder / "inner").mkdir()
    for each in folder.glob("*.png"):
        each.rename(folder / "inner" / each.name)
    return f"{folder}/inner: is a folder, but a class folder needs only images"


def a_folder_like_an_image(folder: Path) -> str:
    (folder / "99.png").mkdir()
    return f"{folder}/99.png: is a folder, but a class folder needs only images"


def another_format(folder: Path) -> str:
    (folder / "9.heic").write_bytes(b"x")
    return f"{folder}/9.heic: does not have the suffix of an image"


def a_text(folder: Path) -> str:
    (folder / "labels.txt").write_text("0 b")
    return f"{folder}/labels.txt: does not have the suffix of an image"


def no_suffix(folder: Path) -> str:
    (folder / "0.png").rename(folder / "png")
    return f"{folder}/png: does not have the suffix of an image"


def a_link_to_nothing(folder: Path) -> str:
    (folder / "99.png").symlink_to(folder / "nowhere.png")
    return f"{folder}/99.png: is not a regular file"


def a_pipe(folder: Path) -> str:
    os.mkfifo(folder / "99.png")
    return f"{folder}/99.png: is not a regular file"


def a_socket(folder: Path) -> str:
    place = os.getcwd()
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(folder)  # the path of a socket is short
        listening.bind("99.png")
        os.chdir(place)
    return f"{folder}/99.png: is not a regular file"


def a_device(folder: Path) -> str:
    (folder / "99.png").symlink_to("/dev/zero")
    return f"{folder}/99.png: is not a regular file"


def an_image_outside(folder: Path) -> str:
    shutil.copy(folder / "0.png", folder.parent / "9.PNG")
    return f"{folder.parent}/9.PNG: is an image outside the class folders"


def a_class_that_links_to_nothing(folder: Path) -> str:
    (folder.parent / "an").symlink_to(folder / "nowhere")
    return f"{folder.parent}/an: is a broken link"


def the_same_in_capitals(folder: Path) -> str:
    shutil.copytree(folder, folder.with_name(folder.name.upper()))
    return f"{folder.parent}: has classes of similar names"


def not_utf8(folder: Path) -> str:
    shutil.copytree(folder, os.fsdecode(os.fsencode(folder) + b"\xff"))
    return f"{folder.parent}: has a class '{folder.name}\\udcff'"


def a_line_break(folder: Path) -> str:
    shutil.copytree(folder, f"{folder}\n")
    return f"{folder.parent}: has a class '{folder.name}\\n'"


FAULTS = (
    empty,
    hidden_alone,
    nested,
    nested_alone,
    a_folder_like_an_image,
    another_format,
    a_text,
    no_suffix,
    a_link_to_nothing,
    a_pipe,
    a_socket,
    a_device,
    an_image_outside,
    a_class_that_links_to_nothing,
    the_same_in_capitals,
    not_utf8,
    a_line_break,
)
DOORS = {  # a set of class folders, one of its classes, and the splits that need that
    "train": (sets.image_folder, "train/b", data.SPLITS),
    "val": (sets.image_folder, "val/b", data.SPLITS),
    "undivided": (sets.undivided_folder, "b", data.SPLITS),
    "cifar10 train": (sets.cifar10_folders, "train/frog", ("train",)),
    "cifar10 test": (sets.cifar10_folders, "test/frog", ("test",)),
}


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert message.isprintable()
    return message


@pytest.mark.parametrize("door", DOORS.values(), ids=list(DOORS))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_what_is_wrong_with_a_class_is_refused_by_name(
    tmp_path: Path,
    door: tuple[Callable[[Path], str], str, tuple[str, ...]],
    fault: Callable[[Path], str],
) -> None:
    """Past bug: such a class vanished, and all labels after it were shifted."""
    make, name, splits = door
    spec = make(tmp_path / "set")
    message = fault(tmp_path / "set" / name)
    for split in splits:
        assert refused(lambda split=split: data.load(spec, split=split)).startswith(message)
    assert refused(lambda: data.check(spec)).startswith(message)
    assert refused(lambda: data.identity(spec)).startswith(message)


@pytest.mark.parametrize(
    ("make", "gone", "message"),
    [
        (sets.image_folder, "val/b", "set/val: lacks the class 'b', which "),
        (sets.image_folder, "val/a", "set/val: lacks the class 'a', which "),
        (sets.image_folder, "train/a", "set/train: lacks the class 'a', which "),
        (sets.image_folder, "train", "set: lacks a folder train"),
        (sets.image_folder, "val", "set: lacks a folder val or test"),
        (sets.cifar10_folders, "train/dog", "set/train: lacks the class 'dog'"),
        (sets.cifar10_folders, "test/dog", "set/test: lacks the class 'dog'"),
        (sets.cifar10_folders, "test", "set: holds neither test_batch.bin nor a folder test"),
        (sets.undivided_folder, "a/0.png a/1.png a/2.png a/3.png", "set/a: has 1 image, too few"),
        (sets.undivided_folder, "a b", "set: holds no class folders"),
    ],
)
def test_a_class_or_split_that_is_missing_is_refused_by_name(
    tmp_path: Path, make: Callable[[Path], str], gone: str, message: str
) -> None:
    spec = make(tmp_path / "set")
    for each in gone.split():
        path = tmp_path / "set" / each
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for call in (data.check, data.identity):
        assert refused(lambda call=call: call(spec)).startswith(f"{tmp_path}/{message}")


def test_a_split_that_links_to_nothing_is_not_that_of_another_folder(tmp_path: Path) -> None:
    spec = sets.image_folder(tmp_path / "set")
    (tmp_path / "set/val").rename(tmp_path / "set/test")
    (tmp_path / "set/val").symlink_to(tmp_path / "nowhere")
    for call in (data.check, data.identity, lambda spec: data.load(spec, split="test")):
        assert refused(lambda call=call: call(spec)) == f"{tmp_path}/set/val: is a broken link"


@pytest.mark.parametrize(
    ("make", "one", "other"),
    [
        (sets.image_folder, "train/b/1.png", "val/b/0.png"),
        (sets.image_folder, "train/b", "val/b"),
        (sets.image_folder, "train", "val"),
        (sets.cifar10_folders, "train/cat/0.png", "test/cat/0.png"),
        (sets.cifar10_zips, "small-train.zip", "small-test.zip"),
        (sets.cifar10_binary, "data_batch_3.bin", "test_batch.bin"),
        (sets.idx_plain, "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"),
        (sets.idx_gzip, "train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
    ],
)
def test_a_file_that_both_splits_have_is_refused(
    tmp_path: Path, make: Callable[[Path], str], one: str, other: str
) -> None:
    spec = make(tmp_path / "set")
    there, here = tmp_path / "set" / one, tmp_path / "set" / other
    for link in (os.symlink,) if there.is_dir() else (os.symlink, os.link):
        shutil.rmtree(here) if here.is_dir() else here.unlink()
        link(there, here)
        for call in (data.check, data.identity):
            message = refused(lambda call=call: call(spec))
            assert message.startswith(str(here))
            assert message.endswith("of the other split")
    for split in data.SPLITS:  # either may be used alone
        data.check(spec, [split])


def test_a_class_that_is_renamed_in_one_split_is_refused(tmp_path: Path) -> None:
    spec = sets.image_folder(tmp_path / "set")
    (tmp_path / "set/val/b").rename(tmp_path / "set/val/B")
    for split in data.SPLITS:
        message = refused(lambda split=split: data.load(spec, split=split))
        assert message == f"{tmp_path}/set/train: lacks the class 'B', which {tmp_path}/set/val has"


def test_links_upper_case_and_every_format_are_read_and_other_files_beside_classes_are_not(
    tmp_path: Path,
) -> None:
    spec = sets.image_folder(tmp_path / "set")
    before = data.load(spec, split="train").batch(range(4)).tobytes()
    train = tmp_path / "set/train"
    (train / "README.txt").write_text("of the set")
    (train / "a").rename(tmp_path / "elsewhere")
    (train / "a").symlink_to(tmp_path / "elsewhere")
    (train / "a/1.png").rename(tmp_path / "1")
    (train / "a/1.png").symlink_to(tmp_path / "1")
    (train / "a/0.png").rename(train / "a/0.PnG")
    images = data.load(spec, split="train")
    assert images.labels.tolist() == [0, 0, 1, 1]
    assert images.batch(range(4)).tobytes() == before
    for split in ("train", "val"):  # a class of none but other formats
        added = tmp_path / "set" / split / "ab"
        added.mkdir()
        for suffix, form in (("TIF", "TIFF"), ("ppm", "PPM"), ("pgm", "PPM"), ("gif", "GIF")):
            mode = "L" if suffix == "pgm" else "RGB"
            (added / f"x.{suffix}").write_bytes(sets.picture(mode, form=form))
    images = data.load(spec, split="test")
    assert images.classes == ("a", "ab", "b")
    assert images.labels.tolist() == [0, 0, 1, 1, 1, 1, 2, 2]
    assert images.batch(range(8)).shape == (8, 3, 224, 224)


def test_a_folder_without_splits_is_divided_by_seed(tmp_path: Path) -> None:
    """Past bug: calibrated and tested on the same images, printed as "test set"."""
    spec = sets.undivided_folder(tmp_path / "set")
    one, two = (data.load(spec, split=split) for split in data.SPLITS)
    # a fifth: 1 of 5 and 2.6, rounded 3, of 13; `printf 0/b/8.png | sha256sum` and its like
    # are least for 1.png of a and for 8.png, 12.png, 5.png of b
    tested = [("a", 5, 1), ("b", 13, 12), ("b", 13, 5), ("b", 13, 8)]
    assert two.labels.tolist() == [0, 1, 1, 1]
    (tmp_path / "x.png").write_bytes(b"")
    for index, (_, count, number) in enumerate(tested):
        (tmp_path / "x.png").write_bytes(sets.picture(size=(8, 8), seed=number + 100 * count))
        expected = folder.read(tmp_path / "x.png")
        assert two.batch([index])[0].tolist() == expected.tolist()
    every = {image.tobytes() for each in (one, two) for image in each.batch(range(len(each)))}
    assert len(one) == 14
    assert len(every) == 18  # all of them, and none in both
    assert data.division(spec) == "split by seed 0: 80 % train, 20 % test"
    assert data.division(sets.image_folder(tmp_path / "splits")) == ""
    assert data.division("shapes") == data.division(sets.idx_plain(tmp_path / "idx")) == ""
    assert data.division(sets.cifar10_zips(tmp_path / "zips")) == ""


def test_the_division_of_a_class_does_not_depend_on_others(tmp_path: Path) -> None:
    spec = sets.undivided_folder(tmp_path / "set")
    before = data.load(spec, split="test").batch([0]).tobytes()
    shutil.rmtree(tmp_path / "set/b")
    assert data.load(spec, split="test").batch([0]).tobytes() == before


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
