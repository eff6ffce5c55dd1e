"""Make layers whose products of 60 bits and more are as near a tie as float64 cannot tell.

As in `requantize`: (t*2^r - e)*(t*2^r + e) = t^2*2^(2r) - e^2, with t odd, is e^2 below a tie. The
first factor is a sum: of a bias, t*2^r units, and of products, -e. The second is the multiplier of
M: two scales of at most 24 bits have it for their product.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.family import Family
from aquant_ref.conformance.cases.layer_large import conv, depthwise, inner, linear, weight_ends
from aquant_ref.conformance.cases.layer_scales import finished
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, odd

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.selection import Selection

EDITION = 7
SIGNS = np.array((1, -1, 1, -1))
ROOTS = range(1, 16, 2)  # t, so that both ties t^2/2 and -t^2/2 are in a range of 8 bits
OFFSETS = range(1, 8)  # e, so that e^2 is below half a unit of float64
LEAST, MOST = 1 << 7, 1 << 24  # of a scale, in units


@cache
def _closest() -> tuple[tuple[int, int, int, int], ...]:
    """List (t, r, e, a factor of the multiplier t*2^r + e)."""
    found = []
    for t in ROOTS:
        r = 31 - t.bit_length()
        for e in OFFSETS:
            multiplier = (t << r) + e
            factor = next((f for f in range(LEAST, 1 << 12) if multiplier % f == 0), 1)
            if multiplier // factor < MOST:
                found.append((t, r, e, factor))
    return tuple(found)


def _close(draw: CaseRandom, selection: Selection, *, parts: Callable[..., Row]) -> Row:
    ends = code_range(draw, selection)
    most = weight_ends(ends)[1]
    fitting = [c for c in _closest() if c[0] ** 2 < ends[1] - ends[0] and c[2] <= most]
    t, r, e, factor = draw.turn(fitting)
    row = parts(draw, ends, outputs=len(SIGNS))
    zero = inner(draw, *ends)
    weight = np.zeros(row["weight"].shape, np.int64)
    weight[:, 0] = -e * SIGNS.reshape(-1, *(1,) * (weight.ndim - 2))
    row |= {"x": np.full(row["x"].shape, zero + 1), "x_zero": zero, "weight": weight}
    power = draw.integer(-30, -26), draw.integer(-30, -26)
    scales = {
        "x_scale": float(np.ldexp(float(factor), power[0])),
        "weight_scale": np.full(len(SIGNS), np.ldexp(((t << r) + e) / factor, power[1])),
        "scale": float(np.ldexp(1.0, 2 * r + 1 + sum(power))),
    }
    beside = t * t // 2 + 1  # the integers beside both ties are in the range
    code = odd(draw, ends[0] + beside, ends[1] - beside)
    return finished(row, scales, SIGNS * (t << r), code, ends)


def _family(parts: Callable[..., Row]) -> tuple[Family, ...]:
    return (
        Family(
            "close_tie",
            by_case(partial(_close, parts=parts)),
            "products of 60 to 62 bits, as near a tie as float64 cannot tell",
            ("round.float64", "round.float32", "round.twice", "multiplier.float32"),
            edition=EDITION,
            stored=4,
        ),
    )


CONV2D = _family(partial(conv, products=2, columns=1, kernel=(1, 1)))
DEPTHWISE = _family(partial(depthwise, columns=1, kernel=(1, 1)))
LINEAR = _family(partial(linear, products=2))
