"""Make cases of `mul`: the product of two codes with scales and zero points of their own.

The fields are those of `add`, and so are the columns that are drawn.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.conformance.cases.add import columns_of, random
from aquant_ref.conformance.cases.family import Columns, Family, between, constant
from aquant_ref.conformance.cases.parting import (
    Other,
    Singles,
    Way,
    misjudged,
    near_tie,
    parted,
)
from aquant_ref.conformance.cases.rescale_codes import NO_FLOAT32, parting, tied, with_room
from aquant_ref.typing import Array, Integers, Reals

if TYPE_CHECKING:
    from aquant_ref.conformance.cases.draw import Draw
    from aquant_ref.conformance.cases.selection import Selection


def _ordinary(draw: Draw, selection: Selection) -> Columns:
    """Draw codes, neither of which is 0, and products that mostly lie in the range."""
    columns = columns_of(
        draw, selection, draw.scales(-7, -5), draw.scales(-7, -5), np.ones(len(draw))
    )
    qmin, qmax = columns["qmin"], columns["qmax"]
    for name in ("a", "b"):
        code, zero = columns[name], columns[f"{name}_zero"]
        other = np.where(zero == qmax, zero - 1, zero + 1)
        columns[name] = np.where(code == zero, other, code)
    most = columns["a_scale"] * columns["b_scale"] * np.maximum(abs(_product(columns)), 1)
    parts = between(draw, constant(draw, 1), (qmax - qmin) // 2)
    return {**columns, "scale": (most / parts).astype(np.float32).astype(np.float64)}


def _product(columns: Columns) -> Array:
    return np.asarray(
        (columns["a"] - columns["a_zero"]) * (columns["b"] - columns["b_zero"]), np.int64
    )


def _limited(columns: Columns, name: str, most: int) -> Array:
    """Return the codes `name` at most so many steps from their zero point."""
    zero = columns[f"{name}_zero"]
    return np.asarray(zero + np.clip(columns[name] - zero, -most, most))


def ties(draw: Draw, selection: Selection) -> Columns:
    """Draw products that are k + 1/2 steps exactly."""
    columns = _ordinary(draw, selection)
    columns["b"] = _limited(columns, "b", 32)  # so that the result's scale has 24 bits
    columns, unit, scale = tied(draw, columns, _product(columns))
    factor = draw.pick((1, 3, 5))
    return {
        **columns,
        "a_scale": unit,
        "b_scale": np.ldexp(factor, -6),
        "scale": np.ldexp(scale * factor, -6),
    }


def _beside(draw: Draw, selection: Selection) -> tuple[Columns, Array, Array]:
    """Draw codes; return the size of the product, and how many codes are beyond the zero."""
    columns = _ordinary(draw, selection)
    columns["b"] = _limited(columns, "b", 127)
    product = _product(columns)
    columns, room = with_room(columns, product)
    return columns, abs(product) * columns["a_scale"] * columns["b_scale"], room


def beside_ties(draw: Draw, selection: Selection) -> Columns:
    """Choose the float32 nearest to the scale of a tie, or one up to two last bits beside it."""
    columns, real, room = _beside(draw, selection)
    halves = between(draw, constant(draw, 0), room - 1) + 0.5
    return {**columns, "scale": near_tie(real, halves, draw.integers(-2, 2)).astype(np.float64)}


def apart(draw: Draw, selection: Selection, *, one: Way, other: Way) -> Columns:
    """Choose a scale for which two ways give different codes."""
    columns, real, room = _beside(draw, selection)
    return parted(draw, columns, real, room, one, other)


def _scales(columns: Columns) -> tuple[Singles, Singles]:
    return columns["a_scale"].astype(np.float32), columns["b_scale"].astype(np.float32)


def _multiplier(columns: Columns, scale: Singles) -> Singles:
    a, b = _scales(columns)
    return np.asarray(a * b / scale)


def _single(columns: Columns) -> Singles:
    return np.asarray(_product(columns), np.float32)


def _by_one_multiplier(columns: Columns, scale: Singles) -> Array:
    return np.rint(_single(columns) * _multiplier(columns, scale))


def _by_reciprocal(columns: Columns, scale: Singles) -> Array:
    a, b = _scales(columns)
    return np.rint(_single(columns) * (a * b * (np.float32(1) / scale)))


def _in_float32(columns: Columns, scale: Singles) -> Array:
    a, b = (
        (columns[k] - columns[f"{k}_zero"]).astype(np.float32) * step
        for k, step in zip("ab", _scales(columns), strict=True)
    )
    return np.rint(a * b / scale)


def _zero_first(columns: Columns, scale: Singles) -> Array:
    zero = columns["zero_point"].astype(np.float32)
    return np.rint(_single(columns) * _multiplier(columns, scale) + zero) - zero


def _fused(columns: Columns, scale: Singles) -> Array:
    """Add the zero point in float64, where the sum is exact."""
    zero = columns["zero_point"]
    return np.rint(_product(columns) * _multiplier(columns, scale).astype(np.float64) + zero) - zero


def _in_float64(columns: Columns, scale: Singles) -> Array:
    real = _product(columns) * columns["a_scale"] * columns["b_scale"]
    return np.floor(real / scale + 0.5)


WAYS = {
    "one_multiplier": Other(
        _by_one_multiplier,
        "with a multiplier of float32",
        ("multiplier.float32", "round.twice", "zero_point.order"),
    ),
    "reciprocal": Other(_by_reciprocal, "with the reciprocal of the scale", ("round.reciprocal",)),
    "in_float32": Other(
        _in_float32, "dequantized and multiplied in float32", ("round.float32", "round.twice")
    ),
    "zero_first": Other(
        _zero_first, "with the zero point added before the rounding", ("zero_point.order",)
    ),
    "fused": Other(_fused, "with a fused multiply-add", ("round.twice", "zero_point.order")),
    "in_float64": Other(_in_float64, "in float64", ("round.float64", "round.rule")),
}


def _exact(columns: Columns) -> Reals:
    """Return steps of the result; those of a tie of `ties` are exact."""
    real = _product(columns) * columns["a_scale"] * columns["b_scale"]
    return np.asarray(real / columns["scale"])


def _ratio_first(columns: Columns) -> Reals:
    ratio = columns["a_scale"] * columns["b_scale"] / columns["scale"]
    return np.asarray(_product(columns) * ratio)


def _rounded_twice(product: Array, m: Reals) -> Array:
    """Return steps as TFLite rounds them: to a high half, then to a last shift."""
    fraction, power = np.frexp(m)
    mantissa = np.rint(np.ldexp(fraction, 31)).astype(np.int64)
    high = ((product << np.maximum(power, 0)) * mantissa + 2**30) >> 31
    last = np.ldexp(high.astype(np.float64), np.minimum(power, 0))
    return np.asarray(np.sign(last) * np.floor(abs(last) + 0.5))


def _by_multiplier_of_float32(columns: Columns, scale: Singles) -> Array:
    return _rounded_twice(_product(columns), _multiplier(columns, scale).astype(np.float64))


def _by_multiplier_of_float64(columns: Columns, scale: Singles) -> Array:
    ratio = columns["a_scale"] * columns["b_scale"] / scale.astype(np.float64)
    return _rounded_twice(_product(columns), ratio)


def _first_rounding(draw: Draw, selection: Selection) -> Columns:
    """Choose a scale for which the last bits of the multiplier decide the first rounding."""
    columns, real, room = _beside(draw, selection)
    size = abs(_product(columns))

    def tie(code: Integers) -> Reals:
        shift = np.maximum(-np.frexp((code + 0.5) / size)[1], 0)
        return np.asarray(code + 0.5 - np.where(shift > 0, np.ldexp(0.5, -shift), 0))

    ways = _by_multiplier_of_float32, _by_multiplier_of_float64
    return parted(draw, columns, real, room, *ways, tie=tie)


def two_roundings(draw: Draw, selection: Selection) -> Columns:
    """Draw small products, and multipliers for which a first rounding often makes a tie."""
    columns = _ordinary(draw, selection)
    for name in ("a", "b"):
        columns[name] = _limited(columns, name, 14)
    ratio = 2 + 2 * draw.unit()
    scale = columns["a_scale"] * columns["b_scale"] * ratio
    return {**columns, "scale": scale.astype(np.float32).astype(np.float64)}


def zeros(draw: Draw, selection: Selection) -> Columns:
    """Draw products of 0: one code is its zero point."""
    columns = _ordinary(draw, selection)
    first = draw.integers(0, 1) == 1
    return {
        **columns,
        "a": np.where(first, columns["a_zero"], columns["a"]),
        "b": np.where(first, columns["b"], columns["b_zero"]),
    }


def range_ends(draw: Draw, selection: Selection, *, times: int = 0) -> Columns:
    """Draw codes and zero points at the ends of their range: the largest products.

    They are `times` as large as the range of the result, or as it, a half and a quarter.
    """
    columns = columns_of(
        draw, selection, draw.scales(-7, -5), draw.scales(-7, -5), np.ones(len(draw))
    )
    for name, end in zip("ab", draw.cross((0, 1), (0, 1)), strict=True):
        upper = end == 1
        columns[name] = np.where(upper, columns["qmax"], columns["qmin"])
        columns[f"{name}_zero"] = np.where(upper, columns["qmin"], columns["qmax"])
    width = columns["qmax"] - columns["qmin"]
    most = columns["a_scale"] * columns["b_scale"] * width
    scale = most / times if times else np.ldexp(most, draw.integers(0, 2))
    return {**columns, "scale": scale.astype(np.float32).astype(np.float64)}


def relu(draw: Draw, selection: Selection) -> Columns:
    """Draw negative products and a result whose qmin is the zero point."""
    columns = _ordinary(draw, selection)
    above, code, zero = _product(columns) > 0, columns["b"], columns["b_zero"]
    mirrored = {"b": np.where(above, zero, code), "b_zero": np.where(above, code, zero)}
    return {**columns, **mirrored, "qmin": columns["zero_point"]}


def _no_scale(draw: Draw, selection: Selection, *, bad: tuple[float, ...]) -> Columns:
    columns = random(draw, selection)
    names, which, value = ("a_scale", "b_scale", "scale"), draw.integers(0, 2), draw.pick(bad)
    chosen = {each: np.where(which == k, value, columns[each]) for k, each in enumerate(names)}
    return {**columns, **chosen}


def _ratios(draw: Draw, selection: Selection) -> Columns:
    columns = random(draw, selection)
    ratio = draw.pick((2.0**-10, 2.0**-9, 2.0**17, 2.0**20))
    product = (columns["a_scale"] * columns["b_scale"]).astype(np.float32).astype(np.float64)
    return {**columns, "scale": product * ratio}


ORDINARY = (
    Family(
        "tie",
        ties,
        "the product is k + 1/2 steps exactly, with unequal scales",
        ("round.rule", "zero_point.order", "round.truncation", "round.twice"),
    ),
    Family(
        "beside_tie",
        beside_ties,
        "the scale is that of a tie, rounded to float32, or up to two last bits beside it",
        ("multiplier.range", "round.twice", "round.rule", "round.float64"),
    ),
    Family(
        "two_roundings",
        two_roundings,
        "a multiplier of 1/4 to 1/2: a first rounding to codes often makes a tie",
        ("round.twice", "round.rule", "round.truncation", "round.cast"),
    ),
    Family(
        "zero",
        zeros,
        "one of the codes is its zero point: the product is 0",
        ("zero_point.missing", "zero_point.cross_terms", "zero_point.offset"),
    ),
    Family(
        "range_end",
        range_ends,
        "codes at one end of their range, zero points at the other",
        ("accumulator.narrow", "accumulator.pairs", "clamp.levels", "clamp.wrap"),
    ),
    Family(
        "saturation",
        partial(range_ends, times=3),
        "products three times the range",
        ("clamp.wrap", "clamp.levels", "zero_point.clip"),
    ),
    Family(
        "relu",
        relu,
        "qmin is the zero point, and above the product",
        ("clamp.relu", "clamp.dropped"),
    ),
    Family(
        "random",
        _ordinary,
        "any codes, three unequal scales of 24 bits, odd zero points",
        ("zero_point.missing", "round.cast", "round.truncation", "add.one_scale"),
    ),
)


def _refused(*bad: float) -> Family:
    return Family(
        "no_scale",
        partial(_no_scale, bad=bad),
        "scales that are none, or no normal float32",
        ("input.accepted",),
        rejects=True,
    )


def _of_engine(right: str, *names: str) -> tuple[Family, ...]:
    ways = {name: WAYS[name] for name in (right, *names)}
    return (*ORDINARY, *parting(apart, ways, right), _refused(*NO_FLOAT32))


FAMILIES = (
    *ORDINARY,
    *parting(
        apart,
        {name: WAYS[name] for name in ("in_float64", "one_multiplier", "in_float32")},
        "in_float64",
    ),
    _refused(0.0, -1.0),
    Family(
        "misjudged_tie",
        partial(misjudged, ties=ties, in_float64=_ratio_first, right=_exact),
        "a tie, which one multiplier in float64 misses",
        ("round.float64",),
        edition=1,
    ),
)
RATIO = Family(
    "ratio",
    _ratios,
    "a scale too far from the product of the others",
    ("input.accepted",),
    rejects=True,
)
OF_PEERS = {
    "tflite": (
        *ORDINARY,
        _refused(*NO_FLOAT32),
        Family(
            "float64_multiplier",
            _first_rounding,
            "with a multiplier of float64, it is another code",
            ("round.float64", "round.twice"),
            edition=1,
        ),
    ),
    "xnnpack": (
        *_of_engine("one_multiplier", "reciprocal", "in_float32", "zero_first", "in_float64"),
        RATIO,
    ),
    "float32": _of_engine("in_float32", "one_multiplier", "in_float64"),
    "onnxruntime": _of_engine("zero_first", "one_multiplier", "fused", "in_float64"),
    "torch": _of_engine("reciprocal", "one_multiplier", "in_float32", "zero_first"),
}
