"""Two images in one: a product of few bits leaves half of a float32 unused.

Where the partial sums a and b of two images are among `least` ... `least + 2^shift - 1`, and those
of a + b*2^shift below 2^24, the codes x_a + x_b*2^shift go through the product in the place of both
images, and the sums are unpacked after it: half the columns to copy and half the product. (Two
multiplications in one multiplier, as FPGAs do it.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.engine.bounds import product_bounds
from aquant_ref.typing import Integers

if TYPE_CHECKING:
    from aquant_ref.engine.instruction import Bounds, Instruction

MOST_BITS = 12  # of a sum: two reach (2^12 - 1) * (1 + 2^12) = 2^24 - 1


@dataclass(frozen=True)
class ImagePair:
    """The second half of a block `shift` bits above the first, whose sums are at least `least`.

    `dtype` holds the numbers of both halves together.
    """

    least: int
    shift: int
    dtype: str

    @classmethod
    def of(cls, sums: Bounds, largest: int) -> ImagePair | None:
        """Pair the images of a product with these bounds, 0 among them; None if there is no room.

        Its numbers are at most `largest` in absolute value.
        """
        least = int(sums[0].min())
        shift = (int(sums[1].max()) - least).bit_length()
        both = largest * ((1 << shift) + 1)
        for dtype in ("int16", "int32"):
            if shift <= MOST_BITS and both <= np.iinfo(dtype).max:
                return cls(least, shift, dtype)
        return None

    def pack(self, x: Integers) -> Integers:
        """Pack integers (n, ...) into (ceil(n/2), ...); where n is odd, the last one is alone."""
        half = (len(x) + 1) // 2
        both = x[half:].astype(self.dtype)
        both <<= self.shift
        np.add(both, x[: len(both)], out=both, casting="unsafe")
        if len(both) == half:
            return both
        return np.concatenate([both, x[half - 1 : half]], dtype=self.dtype, casting="unsafe")

    def unpack(self, both: Integers, count: int) -> Integers:
        """Unpack sums, int32 (ceil(count/2), ...), into those of each image, int32 (count, ...)."""
        half = len(both)
        acc = np.empty((2 * half, *both.shape[1:]), np.int32)
        first, second = acc[:half], acc[half:]
        np.subtract(both, self.least, out=first)
        np.right_shift(first, self.shift, out=second)
        first &= (1 << self.shift) - 1
        first += self.least
        return acc[:count]


def pairs(instructions: Sequence[Instruction], known: Mapping[str, Bounds]) -> dict[str, ImagePair]:
    """Find the convolutions whose accumulators leave room for a pair; `known` are the bounds."""
    sums, found = product_bounds(instructions, known), {}
    for each in instructions:
        if each.op == "conv2d":
            ends = np.stack(known[each.inputs[0]]) - each.arrays["zero_point"].astype(np.int64)
            pair = ImagePair.of(sums[each.name], int(abs(ends).max()))
            if pair is not None:
                found[each.name] = pair
    return found
