"""The built-in set `shapes`: 10 classes of 32x32 RGB images, drawn in integer arithmetic.

Every number comes from a counter through splitmix64 (Steele, Lea and Flood, 2014), and every pixel
from integer comparisons, so the bytes are the same on every platform; no float occurs here. Image i
depends on its split and i alone, not on how many are drawn.

A figure is decided at 2x2 points a pixel in coordinates of 1/4 pixel, rotated by an angle whose
cosine and sine are p/65 and q/65 with whole p and q, and compared without any division.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.data.images import Images
from aquant_ref.progress import Progress, quiet

Array = NDArray[Any]

CLASSES = (
    "disc",
    "ring",
    "square",
    "frame",
    "triangle",
    "plus",
    "bars",
    "crescent",
    "half-disc",
    "corner",
)
SIZES = {"train": 10_000, "test": 2_000}
STREAMS = {"train": 0x5EED_0001, "test": 0x5EED_0002}
SIDE = 32

# Difficulty: chosen so that a float ResNet-8 reaches 95 to 98 % and 2-bit rounding to nearest
# fails.
RADIUS = (26, 46)  # in 1/4 pixel
SHIFT = 24  # the centre moves by up to this, in 1/4 pixel
CONTRAST = (28, 80)  # of each channel, up or down
SLOPE = 30  # of the background, from one edge to the other
NOISE = 24  # added to each channel of each pixel: -NOISE..NOISE, triangular
SPECKS = 2  # small discs in other colours, drawn over everything
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
_DRAWS = 512  # 64-bit numbers that belong to an image: parameters first, noise from NOISE_START on
_NOISE_START = 64


def splitmix64(counter: Array) -> Array:
    """The 64-bit number with index `counter` (uint64) of the splitmix64 sequence from 0."""
    z = (counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


class _Numbers:
    """The random numbers of the images `indices`, handed out in a fixed order."""

    def __init__(self, stream: int, indices: Array) -> None:
        self._base = np.uint64(stream << 32) + indices.astype(np.uint64) * np.uint64(_DRAWS)
        self._next = 0

    def integers(self, low: int, high: int) -> Array:
        """One integer in low..high (both included) an image, (n,) int32."""
        value = splitmix64(self._base + np.uint64(self._next)) >> np.uint64(33)
        self._next += 1
        return (value % np.uint64(high - low + 1)).astype(np.int32) + np.int32(low)

    def noise(self) -> Array:
        """(n, 3, SIDE, SIDE) bytes 0..255, int32."""
        count = 3 * SIDE * SIDE // 8
        counters = self._base[:, None] + np.arange(
            _NOISE_START, _NOISE_START + count, dtype=np.uint64
        )
        shifts = np.arange(0, 64, 8, dtype=np.uint64)
        draws = (splitmix64(counters)[:, :, None] >> shifts) & np.uint64(255)
        return np.asarray(draws.reshape(-1, 3, SIDE, SIDE).astype(np.int32))


def _figure(label: int, u: Array, v: Array, r: Array) -> Array:
    """Where the figure of class `label` is, for coordinates and radius in units of 1/(4*UNIT)
    pixel.
    """
    a, b, square = np.abs(u), np.abs(v), u * u + v * v
    disc = square <= r * r
    if label == 0:
        return disc
    if label == 1:
        return disc & (4 * square >= r * r)
    if label == 2:
        return np.maximum(a, b) * 6 <= 5 * r
    if label == 3:
        largest = np.maximum(a, b)
        return (largest * 6 <= 5 * r) & (largest * 12 >= 5 * r)
    if label == 4:
        return (2 * v >= -r) & (7 * a + 4 * v <= 4 * r)
    if label == 5:
        return (np.maximum(a, b) <= r) & (np.minimum(a, b) * 7 <= 2 * r)
    if label == 6:
        return (a <= r) & (b * 4 >= r) & (b * 4 <= 3 * r)
    if label == 7:
        return disc & ((2 * u - r) ** 2 + 4 * v * v > 3 * r * r)
    if label == 8:
        return disc & (6 * u >= -r)
    return (np.maximum(a, b) * 6 <= 5 * r) & ((3 * u <= -r) | (3 * v <= -r))


def _column(values: Array) -> Array:
    return values[:, None, None]


def draw(split: str, indices: Array) -> tuple[Array, Array]:
    """Images (n, 3, 32, 32) uint8 and labels (n,) int64 of the images `indices` of a split."""
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
    inside = np.zeros((n, 2 * SIDE, 2 * SIDE), np.bool_)
    for label in range(len(CLASSES)):
        mine = labels == label
        inside[mine] = _figure(label, u[mine], v[mine], _column(radius[mine]) * UNIT)

    images = np.empty((n, 3, SIDE, SIDE), np.int32)
    cover = _coverage(inside)
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


def _coverage(inside: Array) -> Array:
    """How many of the 2x2 points of each pixel are inside, 0..4."""
    rows = inside[:, 0::2].astype(np.int32) + inside[:, 1::2]
    return np.asarray(rows[:, :, 0::2] + rows[:, :, 1::2])


def _speck(images: Array, numbers: _Numbers, points: Array) -> None:
    """Draw a small disc somewhere, in place."""
    x0, y0 = numbers.integers(-60, 60), numbers.integers(-60, 60)
    radius = numbers.integers(*SPECK_RADIUS)
    x, y = points[None, None, :] - _column(x0), points[None, :, None] - _column(y0)
    cover = _coverage(x * x + y * y <= _column(radius * radius))
    for channel in range(3):
        colour = _column(numbers.integers(40, 215))
        plane = images[:, channel]
        plane[...] = ((4 - cover) * plane + cover * colour) // 4


def load(split: str, *, progress: Progress = quiet) -> Images:
    """The whole split, "train" (10,000 images) or "test" (2,000), 200 or 1,000 of each class."""
    size = SIZES[split]
    codes = np.empty((size, 3, SIDE, SIDE), np.uint8)
    labels = np.empty(size, np.int64)
    for start in progress(range(0, size, BLOCK), f"shapes {split}"):
        part = slice(start, start + BLOCK)
        codes[part], labels[part] = draw(split, np.arange(size)[part])
    return Images(codes, labels, CLASSES, name="shapes")


def identity() -> str:
    """A hash of the first images of both splits: another one where other images are drawn."""
    digest = hashlib.sha256()
    for split in SIZES:
        images, _ = draw(split, np.arange(len(CLASSES)))
        digest.update(images.tobytes())
    return f"shapes-{digest.hexdigest()[:16]}"
