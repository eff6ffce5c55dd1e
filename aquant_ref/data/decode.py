"""Decode one image file with Pillow, refusing what is not one whole image whose colours are known.

Pillow is told the FORMATS that it may try, since it goes by content and would start Ghostscript for
PostScript, whatever the name. What becomes of an image of each kind:

| kind | what becomes of it |
|---|---|
| 8 bits a channel: RGB, CMYK, YCbCr; palette, grey, black and white | RGB, as Pillow converts it |
| transparent: RGBA, LA, a palette or a colour marked so | the stored colours; alpha is dropped |
| 16 bits, grey (PNG, PGM, TIFF) | the value times 255/65535, rounded |
| 16 bits a channel, in colour (PNG, TIFF) | refused: Pillow keeps the upper 8 bits alone |
| 12 or 32 bits, signed or floating point, Lab | refused: no range says what is white |
| grey that has been multiplied by alpha (TIFF) | refused: Pillow has no conversion of it |
| animated or of many pages (GIF, PNG, TIFF, WEBP) | refused: there is more than one image |
| turned by EXIF | as it is stored, not turned; a TIFF that is turned is refused |
| TIFF, compressed | refused: libtiff passes over some damage, and writes to standard error |

Where there is a choice, it is that of torchvision, whose `ImageFolder` gives `convert("RGB")` of
what Pillow opens. `rgb_exact` takes none but RGB of 8 bits.
"""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from aquant_ref.errors import InputError
from aquant_ref.formats.untrusted import MOST_PIXELS, MOST_PIXELS_IN_PYTHON, MOST_SIDES

Array = NDArray[Any]

# what Pillow has to say is in the one line of the refusal, or nobody's business
logging.getLogger("PIL").addHandler(logging.NullHandler())

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
SEVERAL = ("GIF", "PNG", "TIFF", "WEBP")  # a JPEG with previews (MPO) has one that is the image
BITS, PHOTOMETRIC, ORIENTATION, SAMPLE_FORMAT = 258, 262, 274, 339  # tags of TIFF


def open_image(name: str, data: bytes) -> Image.Image:
    """The decoded image; raises InputError, which names the file, for what the table refuses and if
    it is damaged or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged EXIF, which nothing here depends on
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
            _check_size(image)
            _check_kind(image, data)
            image.load()
            _check_single(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name}: is too large an image") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: is not an image of the formats {', '.join(FORMATS)}") from error
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except Exception as error:  # each format has its own, down to TypeError in a damaged TIFF
        raise InputError(f"{name}: is a damaged image ({error})") from error
    return image


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    size = f"{width}x{height} pixels"
    tiles = getattr(image, "tile", ())
    in_python = image.format == "PPM" and any(tile[0] != "raw" for tile in tiles)
    if width * height > (MOST_PIXELS_IN_PYTHON if in_python else MOST_PIXELS):
        raise InputError(f"is too large an image, {size}")
    if min(width, height) < 1 or max(width, height) > MOST_SIDES * min(width, height):
        raise InputError(f"has {size}: a side is more than {MOST_SIDES} times the other")


def _check_kind(image: Image.Image, data: bytes) -> None:
    """Raise InputError for pixels whose meaning is not known, or is lost by Pillow."""
    if image.format == "PNG" and data[12:16] != b"IHDR":
        raise InputError("is a damaged image (a PNG without its header)")
    if image.format == "PNG" and data[24] == 16 and not _is_16_bit_grey(image):
        raise InputError("has colours or alpha of 16 bits, of which only 8 would be read")
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        bits, samples = set(tags.get(BITS, (1,))), set(tags.get(SAMPLE_FORMAT, (1,)))
        if any(tile[0] != "raw" for tile in image.tile):  # type: ignore[attr-defined]
            raise InputError("is a compressed TIFF; needs one that is not, or a PNG")
        if tags.get(ORIENTATION, 1) != 1:
            raise InputError("is a TIFF to be turned, which some versions of Pillow do")
        if samples != {1} or not bits <= {1, 2, 4, 8, 16}:
            raise InputError("is a TIFF of samples other than unsigned integers of 8 or 16 bits")
        if bits == {16} and (tags.get(PHOTOMETRIC) != 1 or len(tags.get(BITS)) > 1):
            raise InputError("is a TIFF of 16 bits that is not grey with black as 0")
    if image.mode not in MODES and not _is_16_bit_grey(image):
        raise InputError(f"is an image of mode {image.mode}, which is none of {', '.join(MODES)}")


def _is_16_bit_grey(image: Image.Image) -> bool:
    """Whether values go from 0 to 65535: older versions of Pillow have mode I for these."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


def _check_single(image: Image.Image) -> None:
    if image.format not in SEVERAL:
        return
    try:
        image.seek(1)
    except EOFError:
        return
    raise InputError("holds more than one image: it is animated, or has pages")


def as_rgb(image: Image.Image) -> Image.Image:
    """An image of `open_image` in RGB, as the table says."""
    if _is_16_bit_grey(image):
        wide = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((wide + 128) // 257).astype(np.uint8)).convert("RGB")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a palette with transparency, which is dropped
        return image.convert("RGB")


def rgb_exact(name: str, data: bytes, size: tuple[int, int]) -> Array:
    """An RGB image of exactly `size` (width, height) as uint8 (3, H, W).

    Grey and palette images are refused rather than converted: in a data set of colour images they
    are a sign that something is wrong with the files.
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
