"""Draw the built-in set `shapes`: 10 classes of 32x32 RGB images, in integer arithmetic.

Every random number is splitmix64 (Steele, Lea and Flood, 2014) of a counter, and every pixel
follows from integer comparisons, so the bytes are equal on every platform; no float occurs. Image i
depends only on its split and i, not on the number of images drawn.

A figure is sampled at 2x2 points per pixel in coordinates of 1/4 pixel. It is rotated by an angle
whose cosine and sine are p/65 and q/65 for integers p and q, and compared without division.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from aquant_ref.checks import takes_functions
from aquant_ref.data.images import Images
from aquant_ref.progress import Progress, quiet
from aquant_ref.typing import Integers, Labels, Mask, Pixels

SIZES = {"train": 10_000, "test": 2_000}
STREAMS = {"train": 0x5EED_0001, "test": 0x5EED_0002}
SIDE = 32

# The difficulty: a float ResNet-8 reaches 95 to 98 %, and 2-bit rounding to nearest fails.
RADIUS = (26, 46)  # in 1/4 pixel
SHIFT = 24  # the largest distance of the centre from the middle, in 1/4 pixel
CONTRAST = (28, 80)  # of each channel, up or down
SLOPE = 30  # of the background, from edge to edge
NOISE = 24  # added to each channel of each pixel: -NOISE..NOISE, triangular
SPECKS = 2  # small discs in other colours, drawn last
SPECK_RADIUS = (5, 10)  # in 1/4 pixel

UNIT = 65  # the length of the rotation vectors
_QUARTER = ((65, 0), (63, 16), (60, 25), (56, 33), (52, 39), (39, 52), (33, 56), (25, 60), (16, 63))
ROTATIONS = np.array(
    [*_QUARTER]
    + [(-q, p) for p, q in _QUARTER]
    + [(-p, -q) for p, q in _QUARTER]
    + [(q, -p) for p, q in _QUARTER],
    np.int32,
)

BLOCK = 250  # images drawn at once
_DRAWS = 512  # 64-bit numbers of an image: first its parameters, from _NOISE_START on its noise
_NOISE_START = 64


def splitmix64(counter: Integers) -> Integers:
    """Return element `counter` (uint64) of the splitmix64 sequence from 0, uint64."""
    z = (counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


class _Numbers:
    """The random numbers of the images `indices`, drawn in a fixed order."""

    def __init__(self, stream: int, indices: Integers) -> None:
        self._base = np.uint64(stream << 32) + indices.astype(np.uint64) * np.uint64(_DRAWS)
        self._next = 0

    def integers(self, low: int, high: int) -> Integers:
        """Draw one integer in low..high (both included) for each image, (n,) int32."""
        value = splitmix64(self._base + np.uint64(self._next)) >> np.uint64(33)
        self._next += 1
        return (value % np.uint64(high - low + 1)).astype(np.int32) + np.int32(low)

    def noise(self) -> Integers:
        """Draw (n, 3, SIDE, SIDE) bytes 0..255, int32."""
        count = 3 * SIDE * SIDE // 8
        places = np.arange(_NOISE_START, _NOISE_START + count).astype(np.uint64)
        counters = self._base[:, None] + places
        shifts = np.arange(0, 64, 8, dtype=np.uint64)
        draws = (splitmix64(counters)[:, :, None] >> shifts) & np.uint64(255)
        return np.asarray(draws.reshape(-1, 3, SIDE, SIDE).astype(np.int32))


def _disc(u: Integers, v: Integers, r: Integers) -> Mask:
    return u * u + v * v <= r * r


def _square(u: Integers, v: Integers, r: Integers) -> Mask:
    return np.maximum(abs(u), abs(v)) * 6 <= 5 * r


def _ring(u: Integers, v: Integers, r: Integers) -> Mask:
    return _disc(u, v, r) & (4 * (u * u + v * v) >= r * r)


def _frame(u: Integers, v: Integers, r: Integers) -> Mask:
    return _square(u, v, r) & (np.maximum(abs(u), abs(v)) * 12 >= 5 * r)


def _triangle(u: Integers, v: Integers, r: Integers) -> Mask:
    return (2 * v >= -r) & (7 * abs(u) + 4 * v <= 4 * r)


def _plus(u: Integers, v: Integers, r: Integers) -> Mask:
    a, b = abs(u), abs(v)
    return (np.maximum(a, b) <= r) & (np.minimum(a, b) * 7 <= 2 * r)


def _bars(u: Integers, v: Integers, r: Integers) -> Mask:
    return (abs(u) <= r) & (abs(v) * 4 >= r) & (abs(v) * 4 <= 3 * r)


def _crescent(u: Integers, v: Integers, r: Integers) -> Mask:
    return _disc(u, v, r) & ((2 * u - r) ** 2 + 4 * v * v > 3 * r * r)


def _half_disc(u: Integers, v: Integers, r: Integers) -> Mask:
    return _disc(u, v, r) & (6 * u >= -r)


def _corner(u: Integers, v: Integers, r: Integers) -> Mask:
    return _square(u, v, r) & ((3 * u <= -r) | (3 * v <= -r))


# The points of each figure, for coordinates u, v and radius r in units of 1/(4*UNIT) pixel.
FIGURES: dict[str, Callable[[Integers, Integers, Integers], Mask]] = {
    "disc": _disc,
    "ring": _ring,
    "square": _square,
    "frame": _frame,
    "triangle": _triangle,
    "plus": _plus,
    "bars": _bars,
    "crescent": _crescent,
    "half-disc": _half_disc,
    "corner": _corner,
}
CLASSES = tuple(FIGURES)


def _column(values: Integers) -> Integers:
    return values[:, None, None]


def draw(split: str, indices: Integers) -> tuple[Pixels, Labels]:
    """Draw the images `indices` of a split: images uint8 (n, 3, 32, 32), labels int64 (n,)."""
    numbers = _Numbers(STREAMS[split], indices)
    labels = (indices % len(CLASSES)).astype(np.int64)
    n = len(indices)
    points = (2 * np.arange(2 * SIDE, dtype=np.int32) + 1) - 2 * SIDE  # centres, in 1/4 pixel
    x0, y0 = numbers.integers(-SHIFT, SHIFT), numbers.integers(-SHIFT, SHIFT)
    radius = numbers.integers(*RADIUS)
    cosine, sine = ROTATIONS[numbers.integers(0, len(ROTATIONS) - 1)].T
    x, y = points[None, None, :] - _column(x0), points[None, :, None] - _column(y0)
    u = _column(cosine) * x + _column(sine) * y
    v = _column(cosine) * y - _column(sine) * x
    figure = np.zeros((n, 2 * SIDE, 2 * SIDE), np.bool_)
    for label, covers in enumerate(FIGURES.values()):
        of_class = labels == label
        figure[of_class] = covers(u[of_class], v[of_class], _column(radius[of_class]) * UNIT)

    images = np.empty((n, 3, SIDE, SIDE), np.int32)
    cover = _coverage(figure)
    ramp = np.arange(SIDE, dtype=np.int32)
    for channel in range(3):
        ground = numbers.integers(60, 195)
        contrast = numbers.integers(*CONTRAST) * (2 * numbers.integers(0, 1) - 1)
        across, down = numbers.integers(-SLOPE, SLOPE), numbers.integers(-SLOPE, SLOPE)
        slope = _column(across) * (2 * ramp - SIDE) + _column(down) * (2 * ramp[:, None] - SIDE)
        images[:, channel] = 4 * _column(ground) + slope // 16 + cover * _column(contrast)
    images //= 4
    for _ in range(SPECKS):
        _speck(images, numbers, points)
    noise = numbers.noise()
    pairs = noise // 16 + noise % 16  # 0..30, triangular around 15
    images += ((pairs - 15) * NOISE) // 15
    return np.clip(images, 0, 255).astype(np.uint8), labels


def _coverage(figure: Mask) -> Integers:
    """Count the points of each pixel's 2x2 that the figure covers, 0..4."""
    rows = figure[:, 0::2].astype(np.int32) + figure[:, 1::2]
    return np.asarray(rows[:, :, 0::2] + rows[:, :, 1::2])


def _speck(images: Integers, numbers: _Numbers, points: Integers) -> None:
    """Draw a small disc at a random place, into `images`."""
    x0, y0 = numbers.integers(-60, 60), numbers.integers(-60, 60)
    radius = numbers.integers(*SPECK_RADIUS)
    x, y = points[None, None, :] - _column(x0), points[None, :, None] - _column(y0)
    cover = _coverage(x * x + y * y <= _column(radius * radius))
    for channel in range(3):
        colour = _column(numbers.integers(40, 215))
        plane = images[:, channel]
        plane[...] = ((4 - cover) * plane + cover * colour) // 4


@takes_functions
def load(split: str, *, progress: Progress = quiet) -> Images:
    """Draw the whole split: "train", 1,000 images of each class, or "test", 200 of each."""
    size = SIZES[split]
    codes = np.empty((size, 3, SIDE, SIDE), np.uint8)
    labels = np.empty(size, np.int64)
    for start in progress(range(0, size, BLOCK), f"shapes {split}"):
        block = slice(start, start + BLOCK)
        codes[block], labels[block] = draw(split, np.arange(size)[block])
    return Images(codes, labels, CLASSES, name="shapes")


def identity() -> str:
    """Return a hash of the first images of both splits, which changes if the drawing does."""
    digest = hashlib.sha256()
    for split in SIZES:
        images, _ = draw(split, np.arange(len(CLASSES)))
        digest.update(images.tobytes())
    return f"shapes-{digest.hexdigest()[:16]}"
