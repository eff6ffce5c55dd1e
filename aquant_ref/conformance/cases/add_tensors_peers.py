"""Make cases of `add_tensors` as other engines compute it: codes of at most 8 bits, float32 scales.

Tensors are small, but for engines that add runs of elements: these have a run, mostly with a rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases import add_tensors
from aquant_ref.conformance.cases.add_peers import FAMILIES as OF_SCALARS
from aquant_ref.conformance.cases.tensors import Row, by_case, code_range, scale
from aquant_ref.conformance.expected import peers

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.add_tensors import Shape
    from aquant_ref.conformance.cases.draw import CaseRandom
    from aquant_ref.conformance.cases.family import Family
    from aquant_ref.conformance.cases.selection import Selection

SMALL: tuple[Shape, ...] = ((1, 3, 4), (2, 1, 5), (3, 2, 2))
WIDE: tuple[Shape, ...] = ((2, 3, 5), (1, 5, 6))  # a run of 8 or 16 codes and a rest
RUNS: tuple[Shape, ...] = ((1, 8, 8), (2, 5, 7), (1, 7, 15), (1, 3, 33))  # 64, 70, 105, 99


def _part(draw: CaseRandom, zero: int, ends: tuple[int, int]) -> int:
    """Draw the steps of a code that is not its zero point."""
    room = ends[1] - zero or zero - ends[0]
    return (1 if zero < ends[1] else -1) * draw.integer(1, min(5, room))


def _beside_ties(
    draw: CaseRandom, selection: Selection, *, shape: Shape | None = None, reach: int
) -> Row:
    """Bring one sum within the last bits of a tie by the scale; the others are odd multiples.

    A multiple that does not fit the range is that sum itself.
    """
    ends, steps = code_range(draw, selection), draw.integer(0, 2) + 0.5
    scales = scale(draw, -7, -6), scale(draw, -7, -6)
    row = add_tensors.row_of(draw, ends, (*scales, scales[0]), shape)
    a, b = (_part(draw, row[f"{name}_zero"], ends) for name in "ab")
    if abs(a * scales[0] + b * scales[1]) < scales[0] / 16:
        b = 0
    multiples = 2 * draw.integers(-6, 5, row["a"].shape) + 1
    codes = [row[f"{name}_zero"] + part * multiples for name, part in (("a", a), ("b", b))]
    fits = np.logical_and.reduce([(ends[0] <= code) & (code <= ends[1]) for code in codes])
    for name, part, code in zip("ab", (a, b), codes, strict=True):
        row[name] = np.where(fits, code, row[f"{name}_zero"] + part)
    nearest = np.array([abs(a * scales[0] + b * scales[1]) / steps], np.float32)
    moved = (nearest.view(np.int32) + draw.integer(-reach, reach)).astype(np.int32)
    return {**row, "scale": float(moved.view(np.float32)[0])}


def _rounded_otherwise(
    draw: CaseRandom, selection: Selection, *, shape: Shape | None = None
) -> Row:
    """Draw one sum for all elements that LiteRT's reference and optimised kernels part at."""
    other = "litert_int8" if selection.profile == "tflite" else "tflite"
    while True:
        row = _beside_ties(draw, selection, shape=shape, reach=0)
        one = {**row, "a": int(row["a"].flat[0]), "b": int(row["b"].flat[0])}
        if peers.add(profile=selection.profile, **one) != peers.add(profile=other, **one):
            return {**row, **{name: np.full_like(row[name], one[name]) for name in "ab"}}


def _no_scale(draw: CaseRandom, selection: Selection) -> Row:
    bad = draw.pick((1e-46, 2.0**-127, 2.0**127, 1e39, 0.0, -1.0))
    row = add_tensors.random(draw, selection, shape=SMALL[0])
    return {**row, draw.pick(("a_scale", "b_scale", "scale")): bad}


def _ratio(draw: CaseRandom, selection: Selection, *, factors: tuple[float, ...]) -> Row:
    row = add_tensors.random(draw, selection, shape=SMALL[0])
    ratio = draw.pick(factors)
    return {**row, "b_scale": row["a_scale"], "scale": row["a_scale"] * ratio}


DRAWN: dict[str, Callable[..., Row]] = {
    "tie": add_tensors.ties,
    "beside_tie": partial(_beside_ties, reach=1),
    "near_tie": partial(_beside_ties, reach=32),
    "opposite": add_tensors.opposite,
    "relu": partial(add_tensors.random, relu=True),
    "random": add_tensors.random,
}
RATIOS = {
    "tflite": (2.0**-20, 2.0**-19),
    "xnnpack": (2.0**-8, 2.0**11),
    "qnnpack": (2.0**-8, 2.0**15),
}


def _families(profile: str, shapes: tuple[Shape, ...] = SMALL) -> Iterator[Family]:
    """Yield those of the scalar `add` that its tensors have, too."""
    make: Callable[[CaseRandom, Selection], Row]
    for family in OF_SCALARS[profile]:
        if family.flag in DRAWN:
            make = partial(_drawn, of=DRAWN[family.flag], shapes=shapes)
        elif family.flag == "no_scale":
            make = _no_scale
        elif family.flag == "ratio":
            make = partial(_ratio, factors=RATIOS[profile])
        else:
            continue
        yield replace(family, make=by_case(make))


def _drawn(
    draw: CaseRandom, selection: Selection, *, of: Callable[..., Row], shapes: tuple[Shape, ...]
) -> Row:
    return of(draw, selection, shape=draw.pick(shapes))


LITERT = tuple(
    replace(each, make=by_case(partial(_drawn, of=_rounded_otherwise, shapes=WIDE)))
    if each.flag == "beside_tie"
    else each
    for each in _families("tflite", WIDE)
)
FAMILIES: dict[str, tuple[Family, ...]] = {
    **{profile: tuple(_families(profile)) for profile in OF_SCALARS},
    **{profile: tuple(_families(profile, RUNS)) for profile in ("torch", "torch_tail")},
    **dict.fromkeys(("tflite", "litert_int8", "litert_uint8"), LITERT),
}
