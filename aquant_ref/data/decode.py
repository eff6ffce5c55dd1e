"""Decode one image file with Pillow, refusing what is not a whole RGB image."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from aquant_ref.errors import InputError

Array = NDArray[Any]


def open_image(name: str, data: bytes) -> Image.Image:
    """The decoded image; raises InputError, which names the file, if it is damaged or too large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
            image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name}: is too large an image") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: is not an image") from error
    except Exception as error:  # each format has its own, down to TypeError in a damaged TIFF
        raise InputError(f"{name}: is a damaged image ({error})") from error
    return image


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
