"""State every rule in plain `int` and `Fraction`: slow, obvious and exact. It judges all else.

The module imports only the standard library and shares no code with the rest of the package. Real
numbers are Fractions, including floats: `Fraction(0.1)` is the dyadic rational that 0.1 stands for.
A tensor is a nested list of one image: [C][H][W], or [C] after flattening. Two functions are not
rational, the sigmoid and its inverse; they are computed to 60 digits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from itertools import product
from math import ceil, floor, lcm
from typing import Any

Real = Fraction | int
Tensor = list[Any]
Pair = tuple[int, int]
Padding = tuple[int | Pair, int | Pair]  # per axis: one number for both sides, or (before, after)

HALF = Fraction(1, 2)

# Rounding


def half_up(t: Real) -> int:
    """Round to the nearest integer, ties toward +infinity. Spec: AQ-ROUND-1."""
    return floor(t + HALF)


def half_even(t: Real) -> int:
    """Round to the nearest integer, ties to the even one. Spec: AQ-ROUND-1."""
    top, bottom = Fraction(t).as_integer_ratio()
    low, rest = divmod(top, bottom)
    if 2 * rest == bottom:
        return low if low % 2 == 0 else low + 1
    return low if 2 * rest < bottom else low + 1


def half_away(t: Real) -> int:
    """Round to the nearest integer, ties away from zero. Spec: AQ-ROUND-1."""
    return floor(t + HALF) if t >= 0 else -floor(-t + HALF)


def trunc(t: Real) -> int:
    """Round toward zero. Spec: AQ-ROUND-1."""
    return floor(t) if t >= 0 else ceil(t)


ROUNDINGS: dict[str, Callable[[Real], int]] = {
    "half_even": half_even,
    "half_up": half_up,
    "half_away": half_away,
    "floor": floor,
    "ceil": ceil,
    "trunc": trunc,
}


def border_round(t: Real, border: Real) -> int:
    """Round t up exactly if its fraction reaches the border in (0, 1]. Spec: AQ-ROUND-2."""
    assert 0 < border <= 1
    return floor(t) + 1 if t - floor(t) >= border else floor(t)


def to_float(value: Real, digits: int, smallest: int) -> Fraction:
    """Round to `digits` significant bits, with no bit below 2^smallest, ties to even.

    float32 has 24 digits and smallest -149; overflow is not modelled. Spec: AQ-FIXED-5.
    """
    top, bottom = Fraction(value).as_integer_ratio()
    if top == 0:
        return Fraction(0)
    exponent = (
        top.bit_length() - bottom.bit_length()
    )  # of the largest power of two below, or 1 more
    if abs(top) << max(-exponent, 0) < bottom << max(exponent, 0):
        exponent -= 1
    grid = max(exponent - digits + 1, smallest)
    steps = half_even(Fraction(top << max(-grid, 0), bottom << max(grid, 0)))
    return Fraction(steps << max(grid, 0), 1 << max(-grid, 0))


# Codes


def clip(q: int, low: int, high: int) -> int:
    """Clip q to low..high. Spec: AQ-INT-1."""
    return min(max(q, low), high)


def quantize(
    r: Real, scale: Real, zero_point: int, qmin: int, qmax: int, *, rounding: str = "half_up"
) -> int:
    """Return clip(round(r/s) + z, qmin, qmax), with a float64 quotient. Spec: AQ-AFFINE-3."""
    quotient = to_float(Fraction(r) / scale, 53, -1074)
    return clip(ROUNDINGS[rounding](quotient) + zero_point, qmin, qmax)


def dequantize(q: int, scale: Real, zero_point: int) -> Fraction:
    """Return s*(q - z). Spec: AQ-AFFINE-3."""
    return Fraction(scale) * (q - zero_point)


def polynomial(
    t: Real, coefficients: Sequence[Real], qmax: int, *, zero_point: int = 0
) -> Fraction:
    """Return P = b0 + b1*tau + ..., with tau = clip(t, -z, qmax - z)/max(z, qmax - z).

    Spec: AQ-BORDER-5.
    """
    low, high = -zero_point, qmax - zero_point
    tau = min(max(Fraction(t), Fraction(low)), Fraction(high)) / max(-low, high)
    return sum((c * tau**k for k, c in enumerate(coefficients)), Fraction(0))


def clip_squash(p: Real, smallest: Real) -> Fraction:
    """Return clip(1/2 + P, smallest, 1). Spec: AQ-BORDER-1."""
    return min(max(HALF + p, Fraction(smallest)), Fraction(1))


def sigmoid_squash(p: Real, smallest: Real) -> Fraction:
    """Return max(1/(1 + exp(-4*P)), smallest), to 60 digits. Spec: AQ-BORDER-1."""
    with localcontext() as context:
        context.prec = 60
        p = Fraction(p)
        power = (-4 * Decimal(p.numerator) / Decimal(p.denominator)).exp()
        return max(Fraction(1 / (1 + power)), Fraction(smallest))


def clip_border(
    t: Real, coefficients: Sequence[Real], qmax: int, smallest: Real, *, zero_point: int = 0
) -> Fraction:
    """Return the border at t with the squash "clip". Spec: AQ-BORDER-1, AQ-BORDER-5."""
    return clip_squash(polynomial(t, coefficients, qmax, zero_point=zero_point), smallest)


def sigmoid_border(
    t: Real, coefficients: Sequence[Real], qmax: int, smallest: Real, *, zero_point: int = 0
) -> Fraction:
    """Return the border at t with the squash "sigmoid". Spec: AQ-BORDER-1, AQ-BORDER-5."""
    return sigmoid_squash(polynomial(t, coefficients, qmax, zero_point=zero_point), smallest)


def border_code(t: Real, border: Real, qmax: int) -> int:
    """Return clip(round_B(t), 0, qmax). Spec: AQ-BORDER-1."""
    return clip(border_round(t, border), 0, qmax)


def code(t: Real, crossings: Sequence[Real], least: int = 0) -> int:
    """Return the least code plus the number of sorted crossings that t reaches.

    Spec: AQ-BORDER-2, AQ-AFFINE-5.
    """
    return least + bisect_right(crossings, t)


def best_code(
    t: Real, weights: Sequence[Real], quantized: Sequence[Real]
) -> tuple[Fraction, Fraction]:
    """Return the squared output errors of rounding t down and up, for weights of several outputs.

    Spec: AQ-BORDER-3: sum over o of (w_o*t - w_hat_o*t_hat)^2 for t_hat = floor(t), floor(t) + 1.
    """

    def error(t_hat: int) -> Fraction:
        pairs = zip(weights, quantized, strict=True)
        return Fraction(sum((w * t - w_hat * t_hat) ** 2 for w, w_hat in pairs))

    return error(floor(t)), error(floor(t) + 1)


def roundings(t: Real, low: int, high: int) -> list[int]:
    """Return the codes that t may become: the nearest one, then the other neighbour if it differs.

    Spec: AQ-AROUND-1.
    """
    nearest, other = half_up(t), floor(t) + ceil(t) - half_up(t)
    codes = [clip(nearest, low, high), clip(other, low, high)]
    return codes[:1] if codes[0] == codes[1] else codes


def output_error(
    codes: Sequence[int], weight: Sequence[Sequence[Real]], target: Sequence[Real]
) -> Real:
    """Return ||y - w_hat*q||^2 of a window q, weights [O][R] and outputs y. Spec: AQ-AROUND-1."""
    outputs = linear(list(codes), list(weight))
    return sum((y - output) ** 2 for y, output in zip(target, outputs, strict=True))


def greedy_codes(
    t: Sequence[Real],
    weight: Sequence[Sequence[Real]],
    target: Sequence[Real],
    low: int,
    high: int,
) -> list[int]:
    """Start from nearest codes, and make the best flip while it pays; the first of equals wins.

    Spec: AQ-AROUND-2.
    """
    codes = [roundings(v, low, high)[0] for v in t]
    while True:
        flipped = [
            [*codes[:r], code, *codes[r + 1 :]]
            for r, v in enumerate(t)
            for code in roundings(v, low, high)
            if code != codes[r]
        ]
        best = min([codes, *flipped], key=lambda q: output_error(q, weight, target))
        if best is codes:
            return codes
        codes = best


def best_codes(
    t: Sequence[Real],
    weight: Sequence[Sequence[Real]],
    target: Sequence[Real],
    low: int,
    high: int,
) -> list[int]:
    """Return the best of all combinations of codes; the first of equals wins.

    Spec: AQ-AROUND-3. The nearest code precedes the other neighbour; the last element changes
    fastest.
    """
    combinations = map(list, product(*(roundings(v, low, high) for v in t)))
    return min(combinations, key=lambda codes: output_error(codes, weight, target))


def fed_back(
    t: Sequence[Real],
    borders: Sequence[Real],
    directions: Sequence[Sequence[Real]],
    powers: Sequence[Real],
    codes: tuple[int, int],
    *,
    smallest: Real,
    reach: tuple[Real, Real] | None = None,
) -> list[int]:
    """Return the codes, in steps, of one window with rows t and feedback. Spec: AQ-FEEDBACK-2.

    `directions` are the a_i, `powers` the <w_i, w_i> of each row i; `codes` is the code range,
    `reach` that of wide codes, without which the rule is AQ-FEEDBACK-1.
    """
    error = [Fraction(0)] * len(directions[0])
    out: list[int] = []
    for value, border, a, power in zip(t, borders, directions, powers, strict=True):
        pull = sum((e * v for e, v in zip(error, a, strict=True)), Fraction(0))
        moved = Fraction(border) + (pull / power if power else 0)
        q = clip(border_round(value, min(max(moved, Fraction(smallest)), Fraction(1))), *codes)
        low, high = codes if reach is None else reach
        wanted: Real = min(max(value, low), high)
        if reach is not None and codes[0] < value < codes[1] and value != floor(value):
            wanted += HALF - Fraction(border)
        error = [e + v * (q - wanted) for e, v in zip(error, a, strict=True)]
        out.append(q)
    return out


def fed_back_codes(wide: Sequence[int], first_row: int, tables: Mapping[str, Any]) -> list[int]:
    """Return the narrow codes of one window of one group, from its tables.

    Spec: AQ-FEEDBACK-4. The window has the im2col rows from `first_row` on, in their order.
    """
    group, count = first_row // len(wide), range(len(wide))
    directions, pull = tables["directions"][group], tables["pull"][group]
    error = [0] * len(directions)
    out = []
    for i, (row, u) in enumerate(zip(range(first_row, first_row + len(count)), wide, strict=True)):
        pulled = sum(e * p[i] for e, p in zip(error, pull, strict=True))
        up = 1 if tables["lift"][row][u] >= pulled else 0
        own = tables["error"][row][u] + up * tables["step"]
        error = [e + d[i] * own for e, d in zip(error, directions, strict=True)]
        out.append(tables["codes"][row][u] + up)
    return out


def add_code(terms: Sequence[tuple[int, Real]], scale: Real, crossings: Sequence[Real]) -> int:
    """Return the code of the sum of code*scale over `terms`, rounded once. Spec: AQ-IDEAL-1."""
    return code(sum((q * s for q, s in terms), Fraction(0)) / Fraction(scale), crossings)


def mean_code(
    codes: Sequence[int], input_scale: Real, scale: Real, crossings: Sequence[Real]
) -> int:
    """Return the code of the exact mean of code*input_scale, rounded once. Spec: AQ-IDEAL-1."""
    return code(Fraction(sum(codes), len(codes)) * input_scale / scale, crossings)


# Fixed point


def multiplier(m: Real) -> tuple[int, int]:
    """Return (multiplier, shift) of M = f*2^e, f in [1/2, 1), with f rounded half_up to 31 bits.

    Spec: AQ-FIXED-1.
    """
    f, exponent = Fraction(m), 0
    while f >= 1:
        f, exponent = f / 2, exponent + 1
    while f < HALF:
        f, exponent = f * 2, exponent - 1
    mantissa = half_up(f * 2**31)
    if mantissa == 2**31:
        mantissa, exponent = 2**30, exponent + 1
    return mantissa, 31 - exponent


def scale_accumulator(acc: int, m: int, shift: int, profile: str) -> int:
    """Return acc * m * 2^-shift, rounded by a variation. Spec: AQ-FIXED-2 to AQ-FIXED-4."""
    if profile in ("exact", "tflite_single"):
        return half_up(Fraction(acc * m, 2**shift))
    left, right = max(31 - shift, 0), max(shift - 31, 0)
    high = half_up(Fraction(acc * 2**left * m, 2**31))
    second = {"tflite_up": half_up, "tflite_away": half_away}[profile]
    return second(Fraction(high, 2**right))


def requantize_real(
    acc: int, m: Real, profile: str, *, zero_point: int = 0, qmin: int, qmax: int
) -> int:
    """Return acc * M in float32 or float64, rounded and clipped. Spec: AQ-FIXED-5 to AQ-FIXED-7."""
    digits, smallest = (24, -149) if profile == "float32" else (53, -1074)
    product = to_float(acc, digits, smallest) * to_float(m, digits, smallest)
    product = to_float(product, digits, smallest)
    if profile == "float64_onnx":
        return clip(half_even(to_float(product + zero_point, digits, smallest)), qmin, qmax)
    rounded = {"float32": half_even, "float64": half_away}[profile](product)
    return clip(rounded + zero_point, qmin, qmax)


def requantize(scaled: int, zero_point: int, qmin: int, qmax: int) -> int:
    """Return clip(scaled + z, qmin, qmax). Spec: AQ-FIXED-2."""
    return clip(scaled + zero_point, qmin, qmax)


def threshold(crossing: Real, scale: Real, unit: Real, bias: Real) -> int:
    """Return the least accumulator with (unit*acc + bias)/scale >= crossing. Spec: AQ-LOWER-1."""
    return ceil((Fraction(crossing) * scale - bias) / Fraction(unit))


# Layers


def _pixel(x: Tensor, channel: int, row: int, column: int) -> Any:
    plane = x[channel]
    is_real = 0 <= row < len(plane) and 0 <= column < len(plane[0])
    return plane[row][column] if is_real else None


def _positions(
    x: Tensor, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair
) -> tuple[range, range]:
    """Return the first row and the first column of every window. Spec: AQ-IDEAL-4."""

    def starts(axis: int, size: int) -> range:
        sides = padding[axis]
        before, after = (sides, sides) if isinstance(sides, int) else sides
        last = (kernel[axis] - 1) * dilation[axis]  # offset of the last pixel of a window
        return range(-before, size + after - last, stride[axis])

    return starts(0, len(x[0])), starts(1, len(x[0][0]))


def conv2d(
    x: Tensor,
    weight: Tensor,
    *,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Tensor:
    """Cross-correlate one image with weight [O][C/groups][kh][kw], zero padded.

    Spec: AQ-INT-4, AQ-IDEAL-4.
    """
    members, kernel = len(weight[0]), (len(weight[0][0]), len(weight[0][0][0]))
    rows, columns = _positions(x, kernel, stride, padding, dilation)
    per_group = len(weight) // groups

    def value(o: int, top: int, left: int) -> Any:
        total: Any = 0
        for c in range(members):
            for i in range(kernel[0]):
                for j in range(kernel[1]):
                    row, column = top + i * dilation[0], left + j * dilation[1]
                    pixel = _pixel(x, o // per_group * members + c, row, column)
                    total += weight[o][c][i][j] * (0 if pixel is None else pixel)
        return total

    return [[[value(o, top, left) for left in columns] for top in rows] for o in range(len(weight))]


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """Return the product of weight [O][I] and x [I]."""
    return [sum(w * v for w, v in zip(row, x, strict=True)) for row in weight]


def max_pool(
    x: Tensor,
    kernel: Pair,
    *,
    stride: Pair,
    padding: Padding = (0, 0),
    dilation: Pair = (1, 1),
) -> Tensor:
    """Return the largest real pixel of each window; padding never wins. Spec: AQ-IDEAL-4."""
    return _pool(x, kernel, _positions(x, kernel, stride, padding, dilation), dilation, max)


def avg_pool(
    x: Tensor,
    kernel: Pair,
    *,
    stride: Pair,
    padding: Padding = (0, 0),
    dilation: Pair = (1, 1),
    count_padding: bool = True,
) -> Tensor:
    """Return the exact mean of each window, over kh*kw or its real pixels. Spec: AQ-IDEAL-4."""

    def mean(pixels: list[Any]) -> Fraction:
        count = kernel[0] * kernel[1] if count_padding else len(pixels)
        return Fraction(sum(pixels)) / count

    return _pool(x, kernel, _positions(x, kernel, stride, padding, dilation), dilation, mean)


def _pool(
    x: Tensor,
    kernel: Pair,
    positions: tuple[range, range],
    dilation: Pair,
    combine: Callable[[list[Any]], Any],
) -> Tensor:
    rows, columns = positions

    def value(channel: int, top: int, left: int) -> Any:
        window = (
            _pixel(x, channel, top + i * dilation[0], left + j * dilation[1])
            for i in range(kernel[0])
            for j in range(kernel[1])
        )
        return combine([pixel for pixel in window if pixel is not None])

    return [[[value(c, top, left) for left in columns] for top in rows] for c in range(len(x))]


def concat(*tensors: Tensor) -> Tensor:
    """Return all channels, those of the first tensor first. Spec: AQ-IDEAL-4."""
    return [channel for x in tensors for channel in x]


def apply(function: Callable[..., Any], *tensors: Any) -> Any:
    """Apply `function` to the elements of nested lists of one shape."""
    if isinstance(tensors[0], list):
        return [apply(function, *inner) for inner in zip(*tensors, strict=True)]
    return function(*tensors)


def flatten(x: Any) -> Tensor:
    """Return all elements in order, channels first."""
    return [v for inner in x for v in flatten(inner)] if isinstance(x, list) else [x]


# A quantized network, in its ideal semantics

PASSES_CODES = ("max_pool", "flatten")


def network(nodes: Sequence[Mapping[str, Any]], image: Tensor) -> dict[str, Tensor]:
    """Compute the codes of all quantized tensors, and the logits in units, of one image of codes.

    Spec: AQ-IDEAL-1, AQ-IDEAL-2. `nodes` are the plain descriptions of `QuantizedModel.plain()`.
    The first is the image {name, scale}. A layer has integer `weight`, and `unit` and `bias` for
    each output. A node with `crossings` (one list per channel), `scale` and `zero_point` is
    quantized, to codes from `least` up. A node with `narrow` is stored with wide codes: a layer
    with a `window` rounds them itself, any other node reads them through the table `narrow`
    (AQ-WINDOW). Between codes, arithmetic is real and never rounds.
    """
    first, last = nodes[0], nodes[-1]
    real = {first["name"]: _real(image, first["scale"], first["zero_point"])}
    codes: dict[str, Tensor] = {first["name"]: image}
    stored: dict[str, Mapping[str, Any]] = {}
    for node in nodes[1:]:
        if "window" in node:
            (name,) = node["inputs"]
            value = _windowed(node, real[name], stored[name])
        else:
            passes = node["op"] in PASSES_CODES
            inputs = [(real[name], stored.get(name, {})) for name in node["inputs"]]
            terms = [x if passes else _narrowed(x, source) for x, source in inputs]
            value = _operation(IDEAL, node)(node, *terms)
        if "crossings" in node:
            codes[node["name"]] = _codes(
                value, node["scale"], node["crossings"], node.get("least", 0)
            )
            value = _real(codes[node["name"]], node["scale"], node["zero_point"])
        _remember(node, stored)
        real[node["name"]] = value
    logits = zip(real[last["name"]], last["unit"], strict=True)
    codes[last["name"]] = [value / unit for value, unit in logits]
    return codes


def _operation(table: Mapping[str, Callable[..., Any]], node: Mapping[str, Any]) -> Any:
    if node["op"] not in table:
        raise ValueError(f"{node['name']}: the oracle has no operation {node['op']!r}")
    return table[node["op"]]


def _remember(node: Mapping[str, Any], stored: dict[str, Mapping[str, Any]]) -> None:
    """Note in `stored` the quantized node whose codes `node` passes on, if there is one."""
    if "crossings" in node:
        stored[node["name"]] = node
    elif node["op"] in PASSES_CODES and node["inputs"][0] in stored:
        stored[node["name"]] = stored[node["inputs"][0]]


def _real(codes: Tensor, scale: Real, zero_point: Sequence[int]) -> Tensor:
    """Return scale * (code - zero_point), channel by channel."""

    def of_channel(values: Any, zero: int) -> Any:
        return apply(lambda q: (q - zero) * scale, values)

    return [of_channel(values, zero) for values, zero in zip(codes, zero_point, strict=True)]


def _narrowed(x: Tensor, stored: Mapping[str, Any]) -> Tensor:
    """Round values of wide codes for a node without its own border. Spec: AQ-WINDOW-4."""
    if "narrow" not in stored:
        return x

    def value(v: Real) -> Real:
        wide = int(v / stored["scale"] + stored["zero_point"][0])
        return (stored["narrow"][wide] - stored["offset"]) * stored["step"]

    return list(apply(value, x))


def window_codes(wide: Sequence[int], first_row: int, tables: Mapping[str, Any]) -> list[int]:
    """Return the narrow codes of one channel's window, whose first im2col row is `first_row`.

    Spec: AQ-WINDOW-2, AQ-WINDOW-3, AQ-LOWER-7.
    """
    rows = range(first_row, first_row + len(wide))
    down = [tables["codes"][r][u] for r, u in zip(rows, wide, strict=True)]
    if tables["lift"] is None:
        return down
    total = sum(tables["fusion"][r][u] for r, u in zip(rows, wide, strict=True))
    up = [tables["lift"][r][u] >= total for r, u in zip(rows, wide, strict=True)]
    return [code + goes_up for code, goes_up in zip(down, up, strict=True)]


def _windowed(node: Mapping[str, Any], x: Tensor, stored: Mapping[str, Any]) -> Tensor:
    weight, kernel, zero = node["weight"], node["kernel"], stored["zero_point"][0]
    wide = apply(lambda v: int(v / stored["scale"] + zero), x)
    places = list(product(range(kernel[0]), range(kernel[1])))
    dh, dw = node.get("dilation", (1, 1))
    tops, lefts = _positions(wide, kernel, node["stride"], node["padding"], (dh, dw))

    def pixels(channel: int, top: int, left: int) -> list[int]:
        found = [_pixel(wide, channel, top + i * dh, left + j * dw) for i, j in places]
        return [zero if pixel is None else pixel for pixel in found]

    def codes(channels: range, top: int, left: int) -> list[int]:
        if "directions" in node["window"]:
            window = [u for channel in channels for u in pixels(channel, top, left)]
            return fed_back_codes(window, channels[0] * len(places), node["window"])
        return [
            code
            for channel in channels
            for code in window_codes(
                pixels(channel, top, left), channel * len(places), node["window"]
            )
        ]

    def value(o: int, top: int, left: int) -> Real:
        unit: Real = node["unit"][o] / node["input_scale"] * stored["step"]
        first = o // (len(weight) // node["groups"]) * len(weight[o])
        read = codes(range(first, first + len(weight[o])), top, left)
        terms = zip(flatten(weight[o]), read, strict=True)
        return node["bias"][o] + unit * sum(w * (code - stored["offset"]) for w, code in terms)

    return [[[value(o, t, left) for left in lefts] for t in tops] for o in range(len(weight))]


def _whole(x: Tensor) -> tuple[Tensor, Fraction]:
    """Return x as integers, which add many times faster, and the unit that they count."""
    unit = Fraction(1, lcm(*(v.denominator for v in flatten(x))))
    return list(apply(lambda v: int(v / unit), x)), unit


def _affine(x: Any, factor: Real, term: Real) -> Any:
    return apply(lambda v: v * factor + term, x)


def _codes(x: Tensor, scale: Real, crossings: Sequence[Sequence[Real]], least: int) -> Tensor:
    def of_channel(values: Any, row: Sequence[Real]) -> Any:
        return apply(lambda r: code(r / scale, row, least), values)

    return [of_channel(values, row) for values, row in zip(x, crossings, strict=True)]


def _geometry(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: node[key] for key in ("stride", "padding", "dilation") if key in node}


def _product(node: Mapping[str, Any], x: Tensor) -> Tensor:
    if node["op"] == "linear":
        return linear(x, node["weight"])
    return conv2d(x, node["weight"], **_geometry(node), groups=node["groups"])


def _layer(node: Mapping[str, Any], x: Tensor) -> Tensor:
    # The weight of an integer step is unit / input scale; x is input scale * code.
    whole, grid = _whole(x)
    steps = [grid * unit / node["input_scale"] for unit in node["unit"]]
    rows = zip(_product(node, whole), steps, node["bias"], strict=True)
    return [_affine(*channel) for channel in rows]


def _elements(function: Callable[..., Real]) -> Callable[..., Tensor]:
    """Return an operation that applies `function` to the elements at each position."""
    return lambda _node, *inputs: list(apply(function, *inputs))


def _mean(node: Mapping[str, Any], x: Tensor) -> Tensor:
    return avg_pool(x, node["kernel"], **_geometry(node), count_padding=node["count_padding"])


# Operations on real numbers; each takes its node and its inputs.
IDEAL: dict[str, Callable[..., Tensor]] = {
    "conv2d": _layer,
    "linear": _layer,
    "add": _elements(lambda a, b: a + b),
    "mul": _elements(lambda a, b: a * b),
    "relu": _elements(lambda v: max(v, Fraction(0))),
    "relu6": _elements(lambda v: min(max(v, Fraction(0)), Fraction(6))),
    "leaky_relu": lambda node, x: list(apply(lambda v: v if v >= 0 else node["alpha"] * v, x)),
    "avg_pool": _mean,
    "global_avg_pool": _mean,
    "max_pool": lambda node, x: max_pool(x, node["kernel"], **_geometry(node)),
    "concat": lambda _node, *inputs: concat(*inputs),
    "requantize": lambda _node, x: x,
    "flatten": lambda _node, x: flatten(x),
}


# A quantized network in fixed point

INT32 = (-(2**31), 2**31 - 1)
Steps = tuple[Tensor, list[Fraction], list[Fraction]]  # integers, unit and bias of each channel


def fixed_point_network(
    nodes: Sequence[Mapping[str, Any]], image: Tensor, fraction_bits: int, profile: str
) -> dict[str, Tensor]:
    """Compute the results of `network` after a lowering to fixed point with `fraction_bits`.

    Spec: AQ-LOWER-10. `nodes` are those of `network`; a quantized node with a border also has the
    `coefficients` of the border, a list per channel, and its `squash`. The logits are integers.
    """
    first, last = nodes[0], nodes[-1]
    steps_of = {first["name"]: _centred(image, first["scale"], first["zero_point"])}
    codes: dict[str, Tensor] = {first["name"]: image}
    stored: dict[str, Mapping[str, Any]] = {}
    for node in nodes[1:]:
        name, reads = node["name"], node["inputs"]
        if "window" in node:
            steps_of[name] = _fixed_window(node, steps_of[reads[0]], stored[reads[0]])
        else:
            terms = [steps_of[read] for read in reads]
            if node["op"] not in PASSES_CODES:
                pairs = zip(terms, reads, strict=True)
                terms = [_fixed_narrowed(x, stored.get(read, {})) for x, read in pairs]
            if node["op"] == "add":
                scale = _rounded_into(nodes, name)["scale"]
                terms = [_to_steps(x, scale, fraction_bits, fraction_bits, profile) for x in terms]
            steps_of[name] = _operation(FIXED, node)(node, *terms)
        if "crossings" in node:
            bits = fraction_bits if "coefficients" in node or _is_sum(nodes, node) else 0
            steps, _, _ = _to_steps(steps_of[name], node["scale"], bits, fraction_bits, profile)
            codes[name] = _bordered(node, steps, bits)
            steps_of[name] = _centred(codes[name], node["scale"], node["zero_point"])
        _remember(node, stored)
    acc, unit, bias = steps_of[last["name"]]
    codes[last["name"]] = [a + half_even(b / u) for a, u, b in zip(acc, unit, bias, strict=True)]
    return codes


def _fixed_window(node: Mapping[str, Any], x: Steps, stored: Mapping[str, Any]) -> Steps:
    """Compute a convolution that rounds wide codes, in steps of its narrow codes."""
    outputs = len(node["unit"])
    one = [Fraction(1)] * outputs
    in_steps = {**node, "input_scale": 1, "unit": one, "bias": [0] * outputs}
    acc = _windowed(in_steps, x[0], {**stored, "scale": 1, "step": 1})
    return apply(int, acc), node["unit"], node["bias"]


def _fixed_narrowed(x: Steps, stored: Mapping[str, Any]) -> Steps:
    if "narrow" not in stored:
        return x
    tensor = _narrowed(x[0], {**stored, "scale": 1, "step": 1})
    return tensor, [stored["step"]] * len(tensor), [Fraction(0)] * len(tensor)


def _rounded_into(nodes: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """Return the node whose quantizer tensor `name` reaches first."""
    (node,) = [node for node in nodes if node["name"] == name]
    while "crossings" not in node:
        node = next(n for n in nodes[1:] if node["name"] in n["inputs"])
    return node


def _is_sum(nodes: Sequence[Mapping[str, Any]], node: Mapping[str, Any]) -> bool:
    """Tell whether `node` rounds the sum of an add, directly or after an activation."""
    while node["op"] in ("relu", "relu6", "requantize"):
        (node,) = [before for before in nodes if before["name"] == node["inputs"][0]]
        if "crossings" in node:
            return False
    return bool(node["op"] == "add")


def _centred(codes: Tensor, scale: Fraction, zero_point: Sequence[int]) -> Steps:
    return _real(codes, 1, zero_point), [scale] * len(codes), [Fraction(0)] * len(codes)


def _fixed_layer(node: Mapping[str, Any], x: Steps) -> Steps:
    return _product(node, x[0]), node["unit"], node["bias"]


def _fixed_add(_node: Mapping[str, Any], a: Steps, b: Steps) -> Steps:
    """Add two terms that are in the same steps."""
    return list(apply(lambda p, q: p + q, a[0], b[0])), *a[1:]


def _fixed_mul(_node: Mapping[str, Any], a: Steps, b: Steps) -> Steps:
    """Multiply integers and their units. Spec: AQ-LOWER-12."""
    units = [u * v for u, v in zip(a[1], b[1], strict=True)]
    return list(apply(lambda p, q: p * q, a[0], b[0])), units, a[2]


def _fixed_mean(node: Mapping[str, Any], x: Steps) -> Steps:
    """Return the mean times the least common multiple of all divisors.

    Spec: AQ-LOWER-3, AQ-LOWER-8.
    """
    tensor, unit, bias = x
    kernel, count_padding = node["kernel"], node["count_padding"]
    geometry = _geometry(node)
    positions = _positions(tensor, kernel, **{"dilation": (1, 1), **geometry})
    counts = _pool(tensor[:1], kernel, positions, geometry.get("dilation", (1, 1)), len)
    divisor = kernel[0] * kernel[1] if count_padding else lcm(*flatten(counts))
    means = _mean(node, tensor)
    return list(apply(lambda mean: int(mean * divisor), means)), [u / divisor for u in unit], bias


def _fixed_max_pool(node: Mapping[str, Any], x: Steps) -> Steps:
    return max_pool(x[0], node["kernel"], **_geometry(node)), *x[1:]


def _fixed_concat(_node: Mapping[str, Any], *terms: Steps) -> Steps:
    """Join the integers, units and biases of all channels. Spec: AQ-LOWER-9."""
    tensors, units, biases = zip(*terms, strict=True)
    return concat(*tensors), concat(*units), concat(*biases)


def _fixed_flatten(_node: Mapping[str, Any], x: Steps) -> Steps:
    tensor, unit, bias = x
    pixels = range(len(flatten(tensor)) // len(tensor))
    return flatten(tensor), [u for u in unit for _ in pixels], [b for b in bias for _ in pixels]


def _unchanged(_node: Mapping[str, Any], x: Steps) -> Steps:
    """Return x: the quantizer clips T, as a ReLU does."""
    return x


# Operations on integers that stand for unit*integer + bias; what is missing has no fixed point.
FIXED: dict[str, Callable[..., Steps]] = {
    "conv2d": _fixed_layer,
    "linear": _fixed_layer,
    "add": _fixed_add,
    "mul": _fixed_mul,
    "relu": _unchanged,
    "relu6": _unchanged,
    "avg_pool": _fixed_mean,
    "global_avg_pool": _fixed_mean,
    "max_pool": _fixed_max_pool,
    "concat": _fixed_concat,
    "requantize": _unchanged,
    "flatten": _fixed_flatten,
}


def _to_steps(x: Steps, scale: Fraction, bits: int, bias_bits: int, profile: str) -> Steps:
    """Rescale integers to T, in steps of `scale` with `bits` fraction bits. Spec: AQ-FIXED-8."""
    tensor, unit, bias = x
    step = scale / 2**bits
    zeros = [Fraction(0)] * len(unit)
    if all(u == step for u in unit) and not any(bias):
        return x
    scaled = []
    for values, u, b in zip(tensor, unit, bias, strict=True):
        left = 0
        while u / 2**left * 2**bias_bits >= scale:
            left += 1
        units = half_even(b * 2**left / u)
        m = max(u / 2**left / step, Fraction(1, 2**32))

        def of_value(acc: int, left: int = left, units: int = units, m: Fraction = m) -> int:
            return rescale(acc * 2**left + units, m, profile)

        scaled.append(apply(of_value, values))
    return scaled, [step] * len(unit), zeros


def rescale(acc: int, m: Fraction, profile: str) -> int:
    """Return T, in int32, of an accumulator that includes its bias. Spec: AQ-FIXED-8."""
    if profile in ("float32", "float64"):
        m = to_float(m, 53, -1074)
        return requantize_real(acc, m, profile, qmin=INT32[0], qmax=INT32[1])
    return clip(scale_accumulator(acc, *multiplier(m), profile), *INT32)


def _bordered(node: Mapping[str, Any], steps: Tensor, bits: int) -> Tensor:
    zero = node["zero_point"][0]
    least = node.get("least", 0) - zero
    largest = least + len(node["crossings"][0])
    low, high = least * 2**bits, largest * 2**bits
    if node["op"] in ("relu", "relu6"):
        low = 0
    if node["op"] == "relu6":
        high = min(high, half_up(Fraction(6) * 2**bits / node["scale"]))
    coefficients = node.get("coefficients", [[]] * len(steps))
    squash = node.get("squash", "clip")

    def code_of(t: int, row: Sequence[Fraction]) -> int:
        larger = max(-least, largest)
        return zero + fixed_code(clip(t, low, high), row, larger, bits, squash)

    return [
        apply(lambda t, row=row: code_of(t, row), values)
        for values, row in zip(steps, coefficients, strict=True)
    ]


def fixed_code(t: int, coefficients: Sequence[Real], larger: int, bits: int, squash: str) -> int:
    """Return the code, in steps, of a clipped T with `bits` fraction bits. Spec: AQ-FIXED-9."""
    m, shift = multiplier(Fraction(2**15, larger * 2**bits))
    tau = floor(Fraction(t * m, 2**shift))
    p = 0
    for b in reversed(coefficients):
        p = floor(Fraction(p * tau, 2**15)) + half_even(2**16 * Fraction(b))
    whole, rest = divmod(t, 2**bits)
    return whole + 1 if rest and fixed_lift(Fraction(rest, 2**bits), squash) >= p else whole


@cache
def fixed_lift(fraction: Fraction, squash: str) -> int:
    """Return the largest P, with 16 fraction bits, at which a fraction above 0 goes up.

    Spec: AQ-FIXED-9.
    """
    if squash == "clip":
        return half_even(2**16 * (fraction - HALF))
    with localcontext() as context:
        context.prec = 60
        odds = fraction / (1 - fraction)
        logit = (Decimal(odds.numerator) / Decimal(odds.denominator)).ln()
        return half_even(Fraction(logit) * 2**14)
