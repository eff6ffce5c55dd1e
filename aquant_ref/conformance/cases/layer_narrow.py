"""Make cases of layers whose weights have fewer bits than their codes: nibbles, and pairs of bits.

An engine packs them: so it extends signs, or subtracts a zero point of half their levels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.features import isolated
from aquant_ref.conformance.cases.layer_parts import conv_parts, linear_parts
from aquant_ref.conformance.cases.layer_scales import scaled
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, image

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

EDITION = 3
INSIDE = 0.25  # of the range of codes: most elements stay inside, wherever the zero point is
CATCHES = ("zero_point.offset", "zero_point.cross_terms", "axis.layout", "clamp.levels")


def _narrow(
    draw: CaseRandom,
    selection: Selection,
    *,
    parts: Callable[..., Row],
    bits: int,
    unsigned: bool = False,
) -> Row:
    """Draw weights of `bits` bits; unsigned ones have half their levels as their zero point."""
    ends = code_range(draw, selection)
    row = parts(draw, ends)
    half = 1 << (bits - 1)
    least = 0 if unsigned else -half
    weight = image(draw, least, least + 2 * half - 1, *row["weight"].shape)
    weight.flat[:2] = least, least + 2 * half - 1
    row["weight"] = weight
    if unsigned:
        row["weight_zero"] = np.full(len(weight), half)
    return scaled(row, draw, selection, ends, reach=INSIDE)


KINDS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("weights_of_4_bits", {"bits": 4}, "codes of 8 or 16 bits, weights of -8 to 7"),
    ("weights_of_2_bits", {"bits": 2}, "codes of 8 or 16 bits, weights of -2 to 1"),
    (
        "unsigned_weights_of_4_bits",
        {"bits": 4, "unsigned": True},
        "codes of 8 or 16 bits, weights of 0 to 15 with the zero point 8",
    ),
)


def _families(parts: Callable[..., Row]) -> tuple[Family, ...]:
    return tuple(
        Family(
            flag,
            by_case(isolated(partial(_narrow, parts=parts, **more))),
            description,
            CATCHES,
            edition=EDITION,
            stored=2,
            lacks=("tie",),
        )
        for flag, more, description in KINDS
    )


CONV2D = _families(conv_parts)
DEPTHWISE = _families(partial(conv_parts, depthwise=True))
LINEAR = _families(linear_parts)
