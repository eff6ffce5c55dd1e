"""Compute a whole integer program: every instruction by the oracle. Spec: AQ-LOWER.

The program is a list of instructions as `aquant_ref/engine/PROGRAM.md` describes them,
each {"name", "op", "inputs", "attributes", "arrays"} with its arrays as nested lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aquant_ref import oracle
from aquant_ref.conformance.expected import scalar, sums, tables
from aquant_ref.conformance.expected.layers import convolved, int32
from aquant_ref.conformance.expected.refusal import INT32_MAX, INT32_MIN, need

if TYPE_CHECKING:
    from aquant_ref.oracle import Tensor

Instruction = Mapping[str, Any]


def program(*, image: Tensor, program: Sequence[Instruction]) -> tuple[Tensor]:
    """Return the output of the last instruction for the image."""
    tensors: dict[str, Tensor] = {"image": image}
    for each in program:
        need(
            each["op"] in OPERATIONS
            and each["name"] not in tensors
            and tensors.keys() >= {*each["inputs"]}
        )
        inputs = [tensors[name] for name in each["inputs"]]
        tensors[each["name"]] = OPERATIONS[each["op"]](each["attributes"], each["arrays"], *inputs)
    return (tensors[program[-1]["name"]],)


def _centred(x: Tensor, zero_point: Sequence[int]) -> Tensor:
    pairs = zip(x, zero_point, strict=True)
    return [oracle.apply(lambda q, zero=zero: q - zero, plane) for plane, zero in pairs]


def _sides(attributes: Mapping[str, Any]) -> dict[str, Any]:
    (top, bottom), (left, right) = attributes["padding"]
    return {
        **{k: attributes[k] for k in ("stride", "dilation")},
        "padding": (top, bottom, left, right),
    }


def _geometry(attributes: Mapping[str, Any]) -> dict[str, Any]:
    top_bottom, left_right = attributes["padding"]
    pairs = {key: tuple(attributes[key]) for key in ("stride", "dilation")}
    return {**pairs, "padding": (tuple(top_bottom), tuple(left_right))}


def _conv2d(attributes: Any, arrays: Any, x: Tensor) -> Tensor:
    centred = _centred(x, arrays["zero_point"])
    return int32(convolved(centred, arrays["weight"], attributes["groups"], **_sides(attributes)))


def _in_windows(attributes: Any, arrays: Any, x: Tensor) -> Tensor:
    (zero,) = set(arrays["zero_point"])
    nothing = [[tables.NEVER_LIFT] * len(arrays["codes"][0])]
    (acc,) = tables.fused_conv2d(
        u=x,
        pad_code=attributes["zero_code"],
        codes=arrays["codes"],
        lift=arrays.get("lift", nothing),
        fusion=arrays.get("fusion", [[0] * len(nothing[0])]),
        zero=zero,
        weight=arrays["weight"],
        groups=attributes["groups"],
        **_sides(attributes),
    )
    return acc


def _linear(_attributes: Any, arrays: Any, x: Tensor) -> Tensor:
    product = int32(sums.linear(_centred(x, arrays["zero_point"]), arrays["weight"]))
    return int32([v + b for v, b in zip(product, arrays["bias"], strict=True)])


def _add(_attributes: Any, arrays: Any, *terms: Tensor) -> Tensor:
    first, second = (
        [oracle.apply(lambda v, m=m: v * m, plane) for plane, m in zip(x, factors, strict=True)]
        for x, factors in zip(terms, (arrays["multiplier_a"], arrays["multiplier_b"]), strict=True)
    )
    return list(oracle.apply(lambda p, q: p + q, first, second))


def _mul(_attributes: Any, arrays: Any, a: Tensor, b: Tensor) -> Tensor:
    """Spec: AQ-LOWER-12."""
    factors = _centred(a, arrays["zero_point_a"]), _centred(b, arrays["zero_point_b"])
    return int32(list(oracle.apply(lambda p, q: p * q, *factors)))


def _sum(attributes: Any, arrays: Any, x: Tensor) -> Tensor:
    kernel = attributes["kernel"]
    means = oracle.avg_pool(
        _centred(x, arrays["zero_point"]), tuple(kernel), **_geometry(attributes)
    )
    pixels = kernel[0] * kernel[1]
    return int32(
        [oracle.apply(lambda m, f: int(m * pixels) * f, plane, arrays["factor"]) for plane in means]
    )


def _max_pool(attributes: Any, _arrays: Any, x: Tensor) -> Tensor:
    return oracle.max_pool(x, tuple(attributes["kernel"]), **_geometry(attributes))


def _threshold(attributes: Any, arrays: Any, x: Tensor) -> Tensor:
    (codes,) = tables.thresholds(acc=x, thresholds=arrays["thresholds"], least=attributes["least"])
    return codes


def _lookup(_attributes: Any, arrays: Any, x: Tensor) -> Tensor:
    return list(oracle.apply(lambda q: arrays["table"][q], x))


def _by_channel(function: Callable[..., int], x: Tensor, rows: Sequence[Any]) -> Tensor:
    return [
        oracle.apply(lambda v, row=row: function(v, row), plane)
        for plane, row in zip(x, rows, strict=True)
    ]


def _rescale(attributes: Any, arrays: Any, x: Tensor) -> Tensor:
    """Spec: AQ-FIXED-8."""
    rows = zip(*(arrays[k] for k in ("left", "bias", "multiplier", "shift")), strict=True)

    def t(v: int, row: Any) -> int:
        left, bias, multiplier, shift = row
        (scaled,) = scalar.requantize(
            acc=v * 2**left + bias,
            multiplier=multiplier,
            shift=shift,
            profile=attributes["profile"],
            zero_point=0,
            qmin=INT32_MIN,
            qmax=INT32_MAX,
        )
        return scaled

    return _by_channel(t, x, list(rows))


def _border(attributes: Any, arrays: Any, x: Tensor) -> Tensor:
    """Spec: AQ-FIXED-9."""
    keys = ("low", "high", "fraction_bits", "multiplier", "shift", "zero_point")
    numbers = {key: attributes[key] for key in keys}
    rows = arrays["coefficients"] * (len(x) if len(arrays["coefficients"]) == 1 else 1)

    def code(t: int, row: Any) -> int:
        clipped = oracle.clip(t, numbers["low"], numbers["high"])
        lift = arrays["lift"][clipped % 2 ** numbers["fraction_bits"]]
        (q,) = scalar.border(t=t, lift=lift, c0=row[0], c1=row[1], c2=row[2], **numbers)
        return q

    return _by_channel(code, x, rows)


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "conv2d": _conv2d,
    "border_conv2d": _in_windows,
    "fused_conv2d": _in_windows,
    "linear": _linear,
    "add": _add,
    "plus": lambda _, __, a, b: list(oracle.apply(lambda p, q: p + q, a, b)),
    "mul": _mul,
    "sum": _sum,
    "max_pool": _max_pool,
    "concat": lambda _, __, *inputs: oracle.concat(*inputs),
    "flatten": lambda _, __, x: oracle.flatten(x),
    "threshold": _threshold,
    "lookup": _lookup,
    "rescale": _rescale,
    "border": _border,
}
