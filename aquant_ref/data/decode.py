"""Decode one image file with Pillow; refuse files that are not one whole image of known colours.

Pillow detects the format by content and would start Ghostscript for PostScript, so it may try only
FORMATS. The result for each kind of image:

| kind | result |
|---|---|
| 8 bits a channel: RGB, CMYK, YCbCr; palette, grey, black and white | RGB, converted by Pillow |
| transparent: RGBA, LA, a transparent palette or colour | the stored colours, without alpha |
| 16 bits, grey (PNG, PGM, TIFF) | the value times 255/65535, rounded |
| 16 bits a channel, in colour (PNG, TIFF) | refused: Pillow keeps only the upper 8 bits |
| 12 or 32 bits, signed or floating point, Lab | refused: the value of white is unknown |
| grey premultiplied by alpha (TIFF) | refused: Pillow cannot convert it |
| animated or of several pages (GIF, PNG, TIFF, WEBP) | refused: it holds several images |
| rotated by EXIF | the stored pixels, not rotated; a rotated TIFF is refused |
| TIFF, compressed | refused: libtiff ignores some damage, and writes to standard error |

These choices follow torchvision, whose `ImageFolder` calls `convert("RGB")` on what Pillow opens.
`rgb_exact` accepts only RGB of 8 bits.
"""

from __future__ import annotations

import io
import logging
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from aquant_ref.errors import InputError
from aquant_ref.formats.untrusted import MOST_PIXELS, MOST_PIXELS_IN_PYTHON, MOST_SIDES
from aquant_ref.typing import Pixels

# the error message quotes Pillow, so its log is not shown
logging.getLogger("PIL").addHandler(logging.NullHandler())

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
SEVERAL = ("GIF", "PNG", "TIFF", "WEBP")  # not JPEG with previews (MPO): the first is the image
BITS, PHOTOMETRIC, ORIENTATION, SAMPLE_FORMAT = 258, 262, 274, 339  # tags of TIFF


def open_image(name: str, data: bytes) -> Image.Image:
    """Decode the image file `data`, called `name` in messages.

    Raises InputError, which names the file, for an image that the table above refuses, and for one
    that is damaged or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF, which is not used
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
            _check_size(image)
            _check_kind(image, data)
            image.load()
            _check_single(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name}: the image is too large") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: is not an image of the formats {', '.join(FORMATS)}") from error
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except Exception as error:  # each format raises its own, even TypeError for a damaged TIFF
        raise InputError(f"{name}: is a damaged image ({error})") from error
    return image


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    size = f"{width}x{height} pixels"
    tiles = getattr(image, "tile", ())
    in_python = image.format == "PPM" and any(tile[0] != "raw" for tile in tiles)
    if width * height > (MOST_PIXELS_IN_PYTHON if in_python else MOST_PIXELS):
        raise InputError(f"the image is too large, {size}")
    if min(width, height) < 1 or max(width, height) > MOST_SIDES * min(width, height):
        raise InputError(f"has {size}: a side is more than {MOST_SIDES} times the other")


def _check_kind(image: Image.Image, data: bytes) -> None:
    """Raise InputError for pixels of unknown meaning, or whose meaning Pillow loses."""
    if image.format == "PNG" and data[12:16] != b"IHDR":
        raise InputError("is a damaged image (a PNG without its header)")
    if image.format == "PNG" and data[24] == 16 and not _is_16_bit_grey(image):
        raise InputError("has colours or alpha of 16 bits; Pillow would read only 8")
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        bits, samples = set(tags.get(BITS, (1,))), set(tags.get(SAMPLE_FORMAT, (1,)))
        if any(tile[0] != "raw" for tile in image.tile):  # type: ignore[attr-defined]
            raise InputError("is a compressed TIFF; convert it to an uncompressed one or to PNG")
        if tags.get(ORIENTATION, 1) != 1:
            raise InputError("is a rotated TIFF, which only some versions of Pillow rotate back")
        if samples != {1} or not bits <= {1, 2, 4, 8, 16}:
            raise InputError("is a TIFF whose samples are not unsigned integers of 8 or 16 bits")
        if bits == {16} and (tags.get(PHOTOMETRIC) != 1 or len(tags.get(BITS)) > 1):
            raise InputError("is a TIFF of 16 bits that is not grey with 0 as black")
    if image.mode not in MODES and not _is_16_bit_grey(image):
        raise InputError(f"has mode {image.mode}, not one of {', '.join(MODES)}")


def _is_16_bit_grey(image: Image.Image) -> bool:
    """Return whether values go from 0 to 65535; older versions of Pillow use mode I for these."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


def _check_single(image: Image.Image) -> None:
    if image.format not in SEVERAL:
        return
    try:
        image.seek(1)
    except EOFError:
        return
    raise InputError("holds more than one image: it is animated or has several pages")


def as_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of `open_image` to RGB, as the table above says."""
    if _is_16_bit_grey(image):
        wide = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((wide + 128) // 257).astype(np.uint8)).convert("RGB")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a palette's transparency, which is dropped
        return image.convert("RGB")


def rgb_exact(name: str, data: bytes, size: tuple[int, int]) -> Pixels:
    """Decode an RGB image of exactly `size` (width, height) to uint8 (3, H, W).

    Raises InputError, which names the file, for another size or kind, also for grey and palette
    images: in a data set of colour images they suggest damaged files.
    """
    image = open_image(name, data)
    if image.mode != "RGB":
        raise InputError(f"{name}: is a {_mode(image.mode)} image, needs RGB")
    if image.size != size:
        raise InputError(
            f"{name}: is {image.size[0]}x{image.size[1]} pixels, needs {size[0]}x{size[1]}"
        )
    return np.asarray(image, np.uint8).transpose(2, 0, 1)


def _mode(mode: str) -> str:
    return {"L": "grey", "1": "black and white", "P": "palette"}.get(mode, mode)
