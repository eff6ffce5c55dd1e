"""What becomes of an image of each kind, and where its centre is."""

from __future__ import annotations

import io
import logging
import shutil
import stat
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from aquant_ref import data
from aquant_ref.data import folder
from aquant_ref.data.decode import FORMATS, as_rgb, open_image, rgb_exact
from aquant_ref.errors import InputError
from tests.data import sets

FOUR = np.array([[[0, 10, 20], [30, 40, 50]], [[60, 70, 80], [255, 128, 1]]], np.uint8)
WIDE = np.array([[0, 128, 129, 257], [32767, 40000, 65407, 65535]], np.uint16)
# value * 255 / 65535 to the nearest, by hand: 128/257 = 0.498, 129/257 = 0.502, 127.498, 155.64...
NARROW = [[0, 0, 1, 1], [127, 156, 255, 255]]


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def rgb(content: bytes) -> list[Any]:
    return np.asarray(as_rgb(open_image("x", content))).tolist()


def grey(values: list[list[int]]) -> list[list[list[int]]]:
    return [[[value] * 3 for value in row] for row in values]


def tiff(**changed: int) -> bytes:
    """A grey TIFF of 4x2 pixels with 16 bits, and changed tags."""
    pixels = WIDE.astype("<u2").tobytes() * 4
    tags = {"width": 4, "height": 2, "bits": 16, "compression": 1, "photometric": 1} | changed
    tags = {"strip": 8, "samples": 1, "rows": tags["height"], "size": len(pixels)} | tags
    numbers = {"width": 256, "height": 257, "bits": 258, "compression": 259, "photometric": 262}
    numbers |= {"strip": 273, "orientation": 274, "samples": 277, "rows": 278, "size": 279}
    numbers |= {"format": 339}
    fields = sorted((numbers[name], value) for name, value in tags.items())
    entries = b"".join(struct.pack("<HHII", number, 4, 1, value) for number, value in fields)
    directory = struct.pack("<H", len(fields)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory


@pytest.mark.parametrize(
    "content",
    [
        encoded(Image.fromarray(WIDE), "PNG"),
        encoded(Image.fromarray(WIDE), "TIFF"),
        encoded(Image.fromarray(WIDE.astype(">u2")), "TIFF"),
        b"P5 4 2 65535\n" + WIDE.astype(">u2").tobytes(),
        tiff(),
    ],
    ids=["PNG", "TIFF", "TIFF, big-endian", "PGM", "TIFF of tags"],
)
def test_16_bits_of_grey_are_scaled(content: bytes) -> None:
    """Past bug: 255 everywhere."""
    assert rgb(content) == grey(NARROW)


def test_a_pgm_of_10_bits_goes_from_black_to_white() -> None:
    values = np.array([0, 1, 2, 341, 512, 1022, 1023, 3], ">u2")
    content = b"P5 4 2 1023\n" + values.tobytes()
    # value * 255 / 1023: 0.25, 0.5 (over 16 bits, 128/257), 85, 127.62, 254.75
    assert rgb(content) == grey([[0, 0, 0, 85], [128, 255, 255, 1]])


def test_8_bits_of_every_mode_become_rgb() -> None:
    colour = Image.fromarray(FOUR)
    for form in ("PNG", "TIFF", "BMP", "PPM", "GIF"):
        assert rgb(encoded(colour, form)) == FOUR.tolist(), form
    values = [[0, 7], [200, 255]]
    image = Image.fromarray(np.array(values, np.uint8))
    for form in ("PNG", "TIFF", "BMP", "PPM", "GIF"):
        assert rgb(encoded(image, form)) == grey(values), form
    black_and_white = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    for form in ("PNG", "TIFF", "BMP", "PPM", "GIF"):
        assert rgb(encoded(black_and_white, form)) == grey([[0, 255], [255, 0]]), form
    palette = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    palette.putpalette([9, 8, 7, 60, 50, 40, 255, 254, 253])
    expected = [[[9, 8, 7], [60, 50, 40]], [[255, 254, 253], [60, 50, 40]]]
    for form in ("PNG", "GIF", "TIFF"):
        assert rgb(encoded(palette, form)) == expected, form
    ink = np.array([[[0, 0, 0, 0], [255, 0, 0, 0]], [[0, 255, 255, 0], [0, 0, 0, 255]]], np.uint8)
    printed = Image.frombytes("CMYK", (2, 2), ink.tobytes())
    expected = [[[255, 255, 255], [0, 255, 255]], [[255, 0, 0], [0, 0, 0]]]
    assert rgb(encoded(printed, "TIFF")) == expected


def test_alpha_is_dropped_and_the_stored_colours_stay() -> None:
    alpha = np.array([[0, 1], [128, 255]], np.uint8)
    image = Image.fromarray(np.dstack([FOUR, alpha]))
    assert rgb(encoded(image, "PNG")) == rgb(encoded(image, "TIFF")) == FOUR.tolist()
    faint = Image.fromarray(np.dstack([FOUR, np.maximum(alpha, 1)]))  # WEBP clears what is not seen
    assert rgb(encoded(faint, "WEBP", lossless=True)) == FOUR.tolist()
    shades = np.array([[3, 4], [5, 6]], np.uint8)
    image = Image.merge("LA", [Image.fromarray(shades), Image.fromarray(alpha)])
    assert rgb(encoded(image, "PNG")) == grey(shades.tolist())
    palette = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8))
    palette.putpalette([9, 8, 7, 60, 50, 40])
    expected = [[[9, 8, 7], [60, 50, 40]], [[60, 50, 40], [9, 8, 7]]]
    for transparency in (0, bytes([0, 100])):  # one colour, or an alpha for each
        assert rgb(encoded(palette, "PNG", transparency=transparency)) == expected
    assert rgb(encoded(Image.fromarray(FOUR), "PNG", transparency=(0, 10, 20))) == FOUR.tolist()


def test_orientation_in_exif_is_not_applied() -> None:
    turned = Image.Exif()
    turned[274] = 6
    for form in ("PNG", "WEBP"):
        options = {"exif": turned} | ({"lossless": True} if form == "WEBP" else {})
        assert rgb(encoded(Image.fromarray(FOUR), form, **options)) == FOUR.tolist()
    wide = Image.fromarray(np.zeros((8, 16, 3), np.uint8))
    assert open_image("x", encoded(wide, "JPEG", exif=turned)).size == (16, 8)


def png16(colour: int, channels: int) -> bytes:
    """A PNG of 1x1 pixel with 16 bits a channel, which Pillow does not write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1 + 2 * channels)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


def premultiplied() -> bytes:
    """A TIFF whose second channel is alpha that the grey has been multiplied by."""
    content = encoded(Image.new("LA", (2, 2)), "TIFF")
    plain, multiplied = (struct.pack("<HHIHH", 338, 3, 1, kind, 0) for kind in (2, 1))
    assert plain in content
    return content.replace(plain, multiplied)


SEVERAL = {"save_all": True, "append_images": [Image.fromarray(255 - FOUR)]}
REFUSED = {
    "16 bits of colour": (png16(2, 3), "16 bits"),
    "16 bits of colour and alpha": (png16(6, 4), "16 bits"),
    "16 bits of grey and alpha": (png16(4, 2), "16 bits"),
    "32 bits": (tiff(bits=32), "unsigned integers"),
    "floating point": (tiff(bits=32, format=3), "unsigned integers"),
    "signed 16 bits": (tiff(format=2), "unsigned integers"),
    "12 bits": (tiff(bits=12), "unsigned integers"),
    "16 bits with white as 0": (tiff(photometric=0), "not grey with 0 as black"),
    "floating point, PFM": (b"Pf 2 2 -1.0\n" + bytes(16), "mode F"),
    "Lab": (encoded(Image.new("LAB", (2, 2)), "TIFF"), "mode LAB"),
    "multiplied by alpha": (premultiplied(), "mode La"),
    **{
        f"TIFF by {how}": (encoded(Image.fromarray(FOUR), "TIFF", compression=how), "compressed")
        for how in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    },
    "turned TIFF": (tiff(orientation=6), "rotated"),
    **{
        f"two in one {form}": (encoded(Image.fromarray(FOUR), form, **SEVERAL), "more than one")
        for form in ("GIF", "PNG", "TIFF", "WEBP")
    },
    "a line": (encoded(Image.new("L", (1, 40_000)), "PNG"), "1x40000 pixels"),
    "a line across": (encoded(Image.new("L", (330, 10)), "PNG"), "330x10 pixels"),
    "a bomb": (encoded(Image.new("1", (9000, 9000)), "PNG"), "too large"),
    "a bomb of TIFF": (tiff(width=100_000, height=100_000), "large"),
    "plain numbers": (b"P2 1000 1000 255 " + b"1 " * 9, "too large"),
    "nothing": (b"", "not an image"),
    "text": (b"an image\n", "not an image"),
    "icon": (encoded(Image.new("RGB", (16, 16)), "ICO"), "not an image"),
    "no header": (b"\x89PNG\r\n\x1a\n" + bytes(20), "image"),
}


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=list(REFUSED))
@pytest.mark.parametrize("read", ["folder", "cifar10"])
def test_what_has_no_known_colours_or_is_too_much_is_refused_by_file(
    tmp_path: Path, read: str, content: bytes, words: str
) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    call = folder.read if read == "folder" else lambda path: rgb_exact(str(path), content, (2, 2))
    with pytest.raises(InputError) as caught:
        call(path)
    assert str(caught.value).startswith(f"{path}: ")
    # which kinds it knows depends on the version of Pillow
    assert words in str(caught.value) or "not an image of the formats" in str(caught.value)


def test_a_truncated_image_of_every_format_is_refused_or_never_opened() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    for form in FORMATS:
        content = encoded(noise, form)
        for length in range(0, len(content) * 3 // 4, max(len(content) // 9, 1)):
            with pytest.raises(InputError, match=r"^x: "):
                as_rgb(open_image("x", content[:length]))


def test_a_damaged_image_is_one_line_and_nothing_beside_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Past bug: libtiff and Pillow's log wrote to standard error."""
    monkeypatch.setattr(logging.root, "handlers", [])  # as outside of pytest
    squeezed = encoded(Image.fromarray(FOUR), "TIFF", compression="tiff_adobe_deflate")
    for content in (tiff(samples=2048), squeezed[:8] + b"\xff\xff" + squeezed[10:]):
        with pytest.raises(InputError):
            open_image("x", content)
    assert capfd.readouterr().err == ""


def test_postscript_called_png_starts_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past bug: Pillow went by content and started Ghostscript."""
    started = tmp_path / "started"
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {started}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert shutil.which("gs") == str(program)
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n%%EOF\n"
    for spec, name in (
        (sets.image_folder(tmp_path / "folder"), "val/a/0.png"),
        (sets.cifar10_folders(tmp_path / "cifar10"), "test/frog/0.png"),
    ):
        (Path(spec.partition(":")[2]) / name).write_bytes(content)
        with pytest.raises(InputError, match=r"0\.png: is not an image of the formats"):
            data.load(spec, split="test").batch([0])
    assert not started.exists()


# The centre: torchvision's CenterCrop takes int(round((side - 224) / 2.0)), which rounds halves to
# even: 0.5 to 0, 1.5 to 2, 16.5 to 16, 17.5 to 18.
TOPS = {256: 16, 257: 16, 258: 17, 259: 18, 260: 18, 261: 18, 262: 19, 263: 20, 299: 38, 300: 38}


@pytest.mark.parametrize("across", [False, True])
def test_the_centre_is_where_torchvision_has_it(tmp_path: Path, across: bool) -> None:
    """Past bug: one pixel beside it for a quarter of the sizes."""
    for side, top in TOPS.items():
        rows = np.repeat((np.arange(side) % 256).astype(np.uint8)[:, None], 256, axis=1)
        path = tmp_path / "x.png"
        path.write_bytes(encoded(Image.fromarray(rows.T if across else rows), "PNG"))
        pixels = folder.read(path)[0]
        pixels = pixels.T if across else pixels
        assert pixels[:, 0].tolist() == [(top + i) % 256 for i in range(224)], side


@pytest.mark.parametrize(
    ("size", "resized", "corner"),
    [
        ((500, 375), (341, 256), (58, 16)),  # int(256 * 500 / 375) = int(341.33), 58.5 to even
        ((375, 500), (256, 341), (16, 58)),
        ((64, 107), (256, 428), (16, 102)),
        ((333, 250), (340, 256), (58, 16)),  # int(340.99)
        ((224, 224), (256, 256), (16, 16)),
        ((32, 1024), (256, 8192), (16, 3984)),
    ],
)
def test_the_longer_side_is_rounded_down_as_torchvision_does(
    tmp_path: Path, size: tuple[int, int], resized: tuple[int, int], corner: tuple[int, int]
) -> None:
    content = sets.picture(size=size)
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
        whole = np.asarray(image.resize(resized, Image.Resampling.BILINEAR))
    left, top = corner
    expected = whole[top : top + 224, left : left + 224].transpose(2, 0, 1)
    assert folder.read(path).tolist() == expected.tolist()
