"""Wrong layers for a batch of images: images confused, an activation by name ignored."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from aquant_ref.conformance.faults.fault import of_tensors
from aquant_ref.conformance.faults.steps import RIGHT
from aquant_ref.typing import Array

Fields = dict[str, Any]
Images = Callable[[Array], Array]  # (N, ...) to (N, ...)
Bounds = Callable[[Fields], tuple[int, int]]
TENSORS = ("x", "a", "b")
LAYERS: dict[str, Callable[..., Array]] = {
    "conv2d": RIGHT.conv2d,
    "depthwise": RIGHT.depthwise,
    "linear": RIGHT.linear,
    "add_tensors": RIGHT.add_tensors,
    "avg_pool2d": RIGHT.avg_pool2d,
}


def six(f: Fields) -> int:
    return int(6 / Fraction(f["scale"]) + Fraction(1, 2)) + f["zero_point"]


def bounds(f: Fields) -> tuple[int, int]:
    low = f["qmin"] if f["activation"] == "none" else max(f["zero_point"], f["qmin"])
    return low, min(six(f), f["qmax"]) if f["activation"] == "relu6" else f["qmax"]


def batch(name: str, images: Images = np.asarray, ends: Bounds = bounds) -> Callable[..., Array]:
    """The layer of each image, of images that were changed, with ends from the activation."""

    def function(**f: Any) -> Array:
        low, high = ends(f)
        given = {key: images(f[key]) for key in TENSORS if key in f}
        rest = {k: v for k, v in f.items() if k not in (*given, "activation")}
        rest |= {"qmin": low, "qmax": high}
        count = len(next(iter(given.values())))
        rows = ({key: tensor[k] for key, tensor in given.items()} for k in range(count))
        return np.stack([LAYERS[name](**row, **rest) for row in rows])

    return function


def only_the_first(x: Array) -> Array:
    return np.repeat(x[:1], len(x), axis=0)


def last_as_the_one_before(x: Array) -> Array:
    return np.concatenate([x[:-1], x[-2:-1]])


def with_stride(more: int) -> Images:
    """Each image begins `more` elements off, times its number."""

    def images(x: Array) -> Array:
        flat, size = x.ravel(), x[0].size
        at = np.arange(len(x))[:, None] * (size + more) + np.arange(size)
        return flat[np.clip(at, 0, flat.size - 1)].reshape(x.shape)

    return images


def from_third_on(x: Array) -> Array:
    """Only two images are read."""
    return x[np.minimum(np.arange(len(x)), 1)]


def after_each(size: int) -> Images:
    """Images after the last whole block are the last of it, where there is a block."""

    def images(x: Array) -> Array:
        whole = len(x) - len(x) % size
        return x[np.minimum(np.arange(len(x)), whole - 1)] if whole else x

    return images


def first_axes_swapped(x: Array) -> Array:
    """(N, C, ...) read as (C, N, ...)."""
    return x.reshape(x.shape[1], len(x), *x.shape[2:]).swapaxes(0, 1)


def at_code_0(f: Fields) -> tuple[int, int]:
    low, high = bounds(f)
    return (low if f["activation"] == "none" else max(0, f["qmin"])), high


def code_6(f: Fields) -> tuple[int, int]:
    low, high = bounds(f)
    return low, 6 if f["activation"] == "relu6" and low < 6 else high


def without_zero_point(f: Fields) -> tuple[int, int]:
    low, high = bounds(f)
    no_zero = max(low, min(six(f) - f["zero_point"], f["qmax"]))
    return low, no_zero if f["activation"] == "relu6" else high


OF_IMAGES: tuple[tuple[str, Images, str, str], ...] = (
    ("only the first image", only_the_first, "axis.batch", "batch_of_3"),
    ("the last image is the one before", last_as_the_one_before, "axis.batch", "batch_of_3"),
    ("the images in reverse", lambda x: x[::-1], "axis.batch", "batch_of_3"),
    ("the batch's stride one too small", with_stride(-1), "axis.batch", "batch_of_3"),
    ("the batch's stride one too large", with_stride(1), "axis.batch", "batch_of_3"),
    ("batch and channels confused", first_axes_swapped, "axis.batch", "batch_of_3"),
    ("images from the third on are the second", from_third_on, "axis.batch", "batch_of_3"),
    *(
        (f"images after each {size}", after_each(size), "tail.batch", "batches")
        for size in (2, 4, 8)
    ),
)
OF_ACTIVATIONS: tuple[tuple[str, Bounds, str, str], ...] = (
    ("the activation ignored", lambda f: (f["qmin"], f["qmax"]), "clamp.dropped", "relu"),
    ("ReLU at code 0", at_code_0, "clamp.relu", "relu"),
    ("ReLU6 as ReLU", lambda f: (bounds(f)[0], f["qmax"]), "clamp.dropped", "relu6"),
    ("ReLU6 ends at code 6", code_6, "clamp.relu", "relu6"),
    ("ReLU6 without the zero point", without_zero_point, "clamp.relu", "relu6"),
)
WRONG = [
    fault
    for name in LAYERS
    for fault in of_tensors(
        f"{name}_batch",
        [
            *(("", text, batch(name, how), kind, flag) for text, how, kind, flag in OF_IMAGES),
            *(
                ("", text, batch(name, ends=how), kind, flag)
                for text, how, kind, flag in OF_ACTIVATIONS
            ),
        ],
    )
]
