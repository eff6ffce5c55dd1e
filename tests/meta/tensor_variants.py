"""Right implementations of the operations on tensors, written in other ways: none is accused."""

from __future__ import annotations

import math
from bisect import bisect_right
from decimal import ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from aquant_ref.conformance import Adapter
from aquant_ref.conformance.faults import batches, concat
from aquant_ref.conformance.faults.add_peers import ADDED, added
from aquant_ref.conformance.faults.add_tensors_peers import RUNS, elementwise
from aquant_ref.conformance.faults.arithmetic import F
from aquant_ref.conformance.faults.avg_pool2d_peers import ONNX, windows
from aquant_ref.conformance.faults.avg_pool_peers import POOLED, pooled
from aquant_ref.conformance.faults.steps import Layers
from aquant_ref.conformance.faults.written import TensorAdapter, Written
from aquant_ref.typing import Array

RIGHT = Layers()


def loops(
    x: Array, zero: int, weight: Array, groups: int, *, stride: Any, padding: Any, dilation: Any
) -> Array:
    """Seven loops; what is outside of the image is left out."""
    outputs, members, kh, kw = weight.shape
    height = (x.shape[1] + sum(padding[:2]) - (kh - 1) * dilation[0] - 1) // stride[0] + 1
    width = (x.shape[2] + sum(padding[2:]) - (kw - 1) * dilation[1] - 1) // stride[1] + 1
    acc = np.zeros((outputs, height, width), np.int64)
    for o, top, left in product(range(outputs), range(height), range(width)):
        for m, i, j in product(range(members), range(kh), range(kw)):
            row = top * stride[0] + i * dilation[0] - padding[0]
            column = left * stride[1] + j * dilation[1] - padding[2]
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                pixel = x[o // (outputs // groups) * members + m, row, column]
                acc[o, top, left] += int(weight[o, m, i, j]) * (int(pixel) - zero)
    return acc


def channels_last(columns: Array, groups: int) -> Array:
    """im2col rows in the order kh, kw, channel, as NHWC has them."""
    channels, kh, kw = columns.shape[:3]
    split = columns.reshape(groups, channels // groups, kh, kw, -1)
    return split.transpose(0, 2, 3, 1, 4).reshape(groups, -1, split.shape[4])


def cross_terms(
    x: Array, zero: int, weight: Array, groups: int, *, stride: Any, padding: Any, dilation: Any
) -> Array:
    """Raw codes, and the sum of the weights times the zero point afterwards, padding included."""
    padded = RIGHT.pad(x, zero, padding)
    columns = RIGHT.assign(RIGHT.columns(padded, weight.shape[2:], stride, dilation), groups)
    rows = weight.reshape(groups, len(weight) // groups, -1)
    raw = np.einsum("gok,gkp->gop", rows, columns)
    acc = raw - zero * rows.sum(axis=2)[:, :, None]
    height = (padded.shape[1] - (weight.shape[2] - 1) * dilation[0] - 1) // stride[0] + 1
    return acc.reshape(len(weight), height, -1)


def pixel_by_pixel(
    x: Array, zero: int, weight: Array, groups: int, *, stride: Any, padding: Any, dilation: Any
) -> Array:
    """Each pixel is scattered to the outputs that meet it."""
    (kh, kw), (sh, sw), (dh, dw) = weight.shape[2:], stride, dilation
    height = (x.shape[1] + sum(padding[:2]) - (kh - 1) * dh - 1) // sh + 1
    width = (x.shape[2] + sum(padding[2:]) - (kw - 1) * dw - 1) // sw + 1
    acc = np.zeros((len(weight), height, width), np.int64)
    per_group, members = len(weight) // groups, weight.shape[1]
    for c, r, s in np.ndindex(*x.shape):
        own = slice(c // members * per_group, (c // members + 1) * per_group)
        for i, j in product(range(kh), range(kw)):
            top, left = r + padding[0] - i * dh, s + padding[2] - j * dw
            row, column = top // sh, left // sw
            if top % sh == left % sw == 0 and 0 <= row < height and 0 <= column < width:
                acc[own, row, column] += weight[own, c % members, i, j] * (x[c, r, s] - zero)
    return acc


def matrices_with_cross_terms(**f: Any) -> Array:
    """Raw products, then the sums of rows and columns times the zero points."""
    a, b = f["a"], f["b"]
    acc = a @ b - f["b_zero"] * a.sum(axis=2, keepdims=True)
    acc = acc - f["a_zero"] * b.sum(axis=1, keepdims=True) + a.shape[2] * f["a_zero"] * f["b_zero"]
    unit = np.full(len(acc), f["a_scale"] * f["b_scale"])
    steps = RIGHT.rescale(acc.reshape(len(acc), -1), unit, f)
    return RIGHT.clip(steps, f["zero_point"], f["qmin"], f["qmax"]).reshape(acc.shape)


def entry_by_entry(*, x: Array, table: Array, least: int) -> Array:
    """From a dictionary."""
    entries = dict(enumerate(table.tolist(), least))
    return np.array([entries[q] for q in x.ravel().tolist()]).reshape(x.shape)


def by_taking(*, x: Array, table: Array, least: int) -> Array:
    """As bytes: a signed code is the index of a table whose halves are exchanged."""
    if least < 0 and len(table) == 256:
        return np.roll(table, -128)[x.astype(np.int8).view(np.uint8)]
    return np.take(table, x - least)


def in_decimals(**f: Any) -> Array:
    """With 50 digits of the module decimal."""
    with localcontext() as context:
        context.prec = 50
        step, scale = Decimal(f["x_scale"]), Decimal(f["scale"])
        real = [
            of_decimal(f["function"], (q - f["x_zero"]) * step, Decimal(f["alpha"])) / scale
            for q in f["x"].tolist()
        ]
        steps = [int((v + Decimal("0.5")).to_integral_value(ROUND_FLOOR)) for v in real]
    return np.clip([min(v, 2**40) + f["zero_point"] for v in steps], f["qmin"], f["qmax"])


def of_decimal(name: str, t: Decimal, alpha: Decimal) -> Decimal:
    one, six = Decimal(1), Decimal(6)
    if name in ("hard_sigmoid", "hard_swish"):
        gate = min(max(t + 3, Decimal(0)), six)
        return (t if name == "hard_swish" else one) * gate / six
    if name == "gelu":
        return t * (1 + error_function(t)) / 2
    if name == "exp":
        return t.exp()
    if name == "elu":
        return t if t >= 0 else alpha * (t.exp() - 1)
    if name == "leaky_relu":
        return t if t >= 0 else alpha * t
    gate = one / (1 + (-t if name != "tanh" else -2 * t).exp())
    return {"sigmoid": gate, "silu": t * gate, "tanh": 2 * gate - 1}[name]


def error_function(t: Decimal) -> Decimal:
    """erf(t/sqrt(2)) by its series of positive terms: exp(-t^2/2) times t^(2n + 1)/(2n + 1)!!."""
    if abs(t) > 16:
        return Decimal(1).copy_sign(t)
    term = total = t
    n = 1
    while abs(term) > Decimal("1e-48"):
        term = term * t * t / (2 * n + 1)
        total, n = total + term, n + 1
    return (2 / PI).sqrt() * (-t * t / 2).exp() * total


PI = Decimal("3.14159265358979323846264338327950288419716939937511")


def in_floats(**f: Any) -> Array:
    """In float64, as a simulation has it."""
    real = [
        FLOATS[f["function"]]((q - f["x_zero"]) * f["x_scale"], f["alpha"]) / f["scale"]
        for q in f["x"].tolist()
    ]
    steps = np.floor(np.minimum(real, 2.0**40) + 0.5).astype(np.int64)
    return np.clip(steps + f["zero_point"], f["qmin"], f["qmax"])


FLOATS: dict[str, Any] = {
    "sigmoid": lambda t, _: (1 + math.tanh(t / 2)) / 2,
    "tanh": lambda t, _: math.sinh(t) / math.cosh(t) if abs(t) < 300 else math.copysign(1, t),
    "silu": lambda t, _: t * (1 + math.tanh(t / 2)) / 2,
    "gelu": lambda t, _: t * (1 + math.erf(t * math.sqrt(0.5))) / 2,
    "elu": lambda t, alpha: max(t, 0.0) + alpha * math.expm1(min(t, 0.0)),
    "exp": lambda t, _: math.e**t if t < 700 else math.inf,
    "hard_sigmoid": lambda t, _: sorted((0.0, t / 6 + 0.5, 1.0))[1],
    "hard_swish": lambda t, _: t * sorted((0.0, t + 3, 6.0))[1] / 6,
    "leaky_relu": lambda t, alpha: max(t, 0.0) + alpha * min(t, 0.0),
}


def bytes_apart(weight: Array, columns: Array) -> Array:
    """Products of the two bytes of a code, as a narrow multiplier forms them."""
    return ((weight @ (columns >> 8)) << 8) + weight @ (columns & 255)


def one_division(total: Array, unit: Array, f: dict[str, Any]) -> Array:
    """floor(t + 1/2) as one integer division."""
    out = np.empty(total.shape, np.int64)
    for o, u in enumerate(unit.tolist()):
        ratio = Fraction(u) / Fraction(f["scale"])
        n, d = ratio.numerator, ratio.denominator
        out[o] = [(2 * int(v) * n + d) // (2 * d) for v in total[o]]
    return out


def by_bisection(total: Array, unit: Array, f: dict[str, Any]) -> Array:
    """As thresholds would have it: the code whose lower end is reached."""
    rows = []
    for row, u in zip(total.tolist(), unit.tolist(), strict=True):
        ratio = F(f["scale"]) / F(u)
        ends = range(-(2**40), 2**40)
        rows.append([bisect_right(ends, v, key=lambda k, r=ratio: (k + F(1, 2)) * r) for v in row])
    return np.array(rows) - 2**40


def integer_add(**f: Any) -> Array:
    """Both terms in one unit, in Python's integers."""
    one = math.lcm(*(F(f[k]).denominator for k in ("a_scale", "b_scale", "scale")))
    a, b, s = (int(F(f[k]) * one) for k in ("a_scale", "b_scale", "scale"))

    def code(p: int, q: int) -> int:
        total = (p - f["a_zero"]) * a + (q - f["b_zero"]) * b
        return min(max((2 * total + s) // (2 * s) + f["zero_point"], f["qmin"]), f["qmax"])

    flat = [code(int(p), int(q)) for p, q in zip(f["a"].flat, f["b"].flat, strict=True)]
    return np.array(flat).reshape(f["a"].shape)


def stored_mean(**f: Any) -> Array:
    """Means of the stored codes, exactly; the zero point comes off after the division."""
    columns = RIGHT.columns(
        RIGHT.pad(f["x"], f["x_zero"] if f["count_padding"] else 0, f["padding"]),
        f["kernel"],
        f["stride"],
        f["dilation"],
    )
    total = columns.sum(axis=(1, 2))
    count = np.broadcast_to(RIGHT.counts(f["x"], f), total.shape)
    ratio = F(f["x_scale"]) / F(f["scale"])
    means = [F(int(t), int(n)) - f["x_zero"] for t, n in zip(total.flat, count.flat, strict=True)]
    steps = np.array([math.floor(m * ratio + F(1, 2)) for m in means]).reshape(total.shape)
    return np.clip(steps + f["zero_point"], f["qmin"], f["qmax"])


def rows_then_columns(*, x: Array, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Array:
    """A maximum along each axis, one after the other."""
    for axis in (0, 1):
        size = x.shape[axis + 1]
        starts = range(
            -padding[2 * axis],
            size + padding[2 * axis + 1] - (kernel[axis] - 1) * dilation[axis],
            stride[axis],
        )
        windows = [
            [p for k in range(kernel[axis]) if 0 <= (p := start + k * dilation[axis]) < size]
            for start in starts
        ]
        x = np.stack([x.take(w, axis=axis + 1).max(axis=axis + 1) for w in windows], axis + 1)
    return x


def searched(values: Array, rows: Array) -> Array:
    """The rows are searched from their right."""
    flat = values.reshape(len(rows), -1)
    found = [np.searchsorted(row, v, side="right") for row, v in zip(rows, flat, strict=True)]
    return np.array(found).reshape(values.shape)


def window_by_window(**f: Any) -> Array:
    """Every window, channel by channel, in Python's integers."""
    weight, (sh, sw), (dh, dw) = f["weight"], f["stride"], f["dilation"]
    outputs, members, kh, kw = weight.shape
    padded = RIGHT.pad(f["u"], f["pad_code"], f["padding"])
    height = (padded.shape[1] - (kh - 1) * dh - 1) // sh + 1
    width = (padded.shape[2] - (kw - 1) * dw - 1) // sw + 1
    acc = np.zeros((outputs, height, width), np.int64)

    def entry(table: Array, row: int, wide: int) -> int:
        return int(table[row if len(table) > 1 else 0, wide])

    for c, top, left in np.ndindex(len(padded), height, width):
        wide = [
            int(padded[c, top * sh + i * dh, left * sw + j * dw]) for i, j in np.ndindex(kh, kw)
        ]
        rows = [c * kh * kw + k for k in range(kh * kw)]
        total = sum(entry(f["fusion"], r, w) for r, w in zip(rows, wide, strict=True))
        for k, (r, w) in enumerate(zip(rows, wide, strict=True)):
            code = entry(f["codes"], r, w) + (entry(f["lift"], r, w) >= total)
            for o in range(outputs):
                if o // (outputs // f["groups"]) == c // members:
                    acc[o, top, left] += int(weight[o, c % members, k // kw, k % kw]) * (
                        code - f["zero"]
                    )
    return acc


class Programs(Adapter):
    """A dictionary of tensors, and a branch for each operation."""

    name = "programs by hand"

    def program(self, *, image: Array, program: list[dict[str, Any]]) -> Array:
        made = {"image": image}
        for each in program:
            inputs = [made[name] for name in each["inputs"]]
            arrays = {key: np.array(array) for key, array in each["arrays"].items()}
            made[each["name"]] = self.step(each["op"], each["attributes"], arrays, *inputs)
        return made[program[-1]["name"]]

    def step(self, op: str, a: dict[str, Any], arrays: dict[str, Array], *inputs: Array) -> Array:
        x = inputs[0]
        windows: dict[str, Any] = {key: a[key] for key in ("stride", "dilation") if key in a}
        if "padding" in a:
            windows["padding"] = [*a["padding"][0], *a["padding"][1]]
        if op in ("conv2d", "sum", "linear"):
            x = x - arrays["zero_point"].reshape(-1, *(1,) * (x.ndim - 1))
        if op == "conv2d":
            return loops(x, 0, arrays["weight"], a["groups"], **windows)
        if op == "fused_conv2d":
            zero = int(arrays.pop("zero_point")[0])
            tables = {"u": x, "pad_code": a["zero_code"], "zero": zero, "groups": a["groups"]}
            return window_by_window(**tables, **arrays, **windows)
        if op == "linear":
            return arrays["weight"] @ x + arrays["bias"]
        if op == "sum":
            padded = RIGHT.pad(x, 0, windows.pop("padding"))
            columns = RIGHT.columns(padded, a["kernel"], **windows)
            return columns.sum(axis=(1, 2)) * arrays["factor"]
        if op == "max_pool":
            return rows_then_columns(x=x, kernel=a["kernel"], **windows)
        if op == "add":
            m, n = (arrays[key][:, None, None] for key in ("multiplier_a", "multiplier_b"))
            return x * m + inputs[1] * n
        if op == "plus":
            return x + inputs[1]
        if op == "concat":
            return np.concatenate(inputs)
        if op == "flatten":
            return x.ravel()
        if op == "threshold":
            return searched(x, arrays["thresholds"]) + a["least"]
        if op == "lookup":
            return arrays["table"][x]
        return self.fixed(op, a, arrays, x)

    def fixed(self, op: str, a: dict[str, Any], arrays: dict[str, Array], x: Array) -> Array:
        if op == "rescale":
            names = ("left", "bias", "multiplier", "shift")
            left, bias, m, n = (arrays[name][:, None, None] for name in names)
            acc = (x << left) + bias
            if a["profile"] == "exact":
                return (acc * m + (1 << n - 1)) >> n
            high = ((acc << np.maximum(31 - n, 0)) * m + (1 << 30)) >> 31
            rest = np.maximum(n - 31, 0)
            nudge = 1 << rest >> 1
            if a["profile"] == "tflite_up":
                return (high + nudge) >> rest
            return np.sign(high) * ((abs(high) + nudge) >> rest)
        t = np.clip(x, a["low"], a["high"])
        tau = t * a["multiplier"] >> a["shift"]
        c0, c1, c2 = (arrays["coefficients"][:, k, None, None] for k in range(3))
        p = ((c2 * tau >> 15) + c1) * tau >> 15
        whole, rest = t >> a["fraction_bits"], t % (1 << a["fraction_bits"])
        return whole + a["zero_point"] + (arrays["lift"][rest] >= p + c0)


def in_one_denominator(**f: Any) -> Array:
    """All tensors at once, in Python's integers."""
    owner = np.repeat(np.arange(len(f["channels"])), f["channels"]).tolist()
    p, q = f["scale"].as_integer_ratio()
    out = []
    for k, plane in zip(owner, f["x"].tolist(), strict=True):
        n, d = f["x_scale"].tolist()[k].as_integer_ratio()
        top, bottom = n * q, 2 * d * p
        out.append(
            [
                [(2 * (v - int(f["x_zero"][k])) * top + d * p) // bottom for v in row]
                for row in plane
            ]
        )
    return np.clip(np.array(out) + f["zero_point"], f["qmin"], f["qmax"])


def table_by_table(**f: Any) -> Array:
    """In numpy's float32, a tensor at a time."""
    parts = np.split(f["x"], np.cumsum(f["channels"])[:-1])
    single = np.float32
    steps = [
        np.rint((part - zero).astype(single) * single(scale) / single(f["scale"]))
        for part, scale, zero in zip(parts, f["x_scale"], f["x_zero"], strict=True)
    ]
    return np.clip(np.concatenate(steps) + f["zero_point"], f["qmin"], f["qmax"]).astype(int)


def batch_in_groups(**f: Any) -> Array:
    """The images of a batch as channels of one image, in as many more groups."""
    images, (low, high) = len(f["x"]), batches.bounds(f)
    tiled = {name: np.concatenate([f[name]] * images) for name in PER_CHANNEL}
    rest = {k: v for k, v in f.items() if k not in (*tiled, "x", "activation", "groups")}
    rest |= {"groups": f["groups"] * images, "qmin": low, "qmax": high}
    made = Layers().conv2d(x=f["x"].reshape(-1, *f["x"].shape[2:]), **rest, **tiled)
    return made.reshape(images, -1, *made.shape[1:])


def batch_of_channels(**f: Any) -> Array:
    return batch_in_groups(groups=f["x"].shape[1], **f)


def batch_as_pixels(**f: Any) -> Array:
    """A linear layer is a convolution by 1x1 of an image with a pixel for each of the batch."""
    windows = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1}
    low, high = batches.bounds(f)
    rest = {k: v for k, v in f.items() if k not in ("x", "weight", "activation")}
    rest |= {"qmin": low, "qmax": high}
    x, weight = f["x"].T[:, :, None], f["weight"][:, :, None, None]
    return Layers().conv2d(x=x, weight=weight, **windows, **rest)[:, :, 0].T


PER_CHANNEL = ("weight", "weight_scale", "weight_zero", "bias")
OF_TABLES = [
    ("conv2d_batch", "", batch_in_groups),
    ("depthwise_batch", "", batch_of_channels),
    ("linear_batch", "", batch_as_pixels),
    ("add_tensors_batch", "", batches.batch("add_tensors")),
    ("avg_pool2d_batch", "", batches.batch("avg_pool2d")),
    ("concat", "", in_one_denominator),
    ("concat", "float32", table_by_table),
    ("concat", "tflite", concat.joined(concat.of_tflite)),
    ("concat", "torch", concat.joined(concat.of_torch)),
    ("lookup", "", entry_by_entry),
    ("lookup", "", by_taking),
    ("activation", "", in_decimals),
    ("activation", "", in_floats),
    ("activation", "float32", in_decimals),
    ("activation", "float32", in_floats),
]
OF_ALTERNATIVES = [
    *OF_TABLES,
    *(
        ("add_tensors", profile, elementwise(added(steps)))
        for profile, steps in ADDED.items()
        if profile not in RUNS
    ),
    *(("add_tensors", profile, elementwise(*run)) for profile, run in RUNS.items()),
    *(
        ("avg_pool2d", profile, windows(pooled(code), ONNX if profile == "onnxruntime" else None))
        for profile, code in POOLED.items()
    ),
]

TENSOR_VARIANTS: list[Adapter] = [
    Layers("numpy, step by step"),
    Layers("direct loops", convolution=loops),
    Layers(
        "NHWC inside",
        assign=channels_last,
        kernel=lambda w: w.transpose(0, 2, 3, 1) if w.ndim == 4 else w,
    ),
    Layers("cross terms", convolution=cross_terms, matmul=matrices_with_cross_terms),
    Layers("pixel by pixel", convolution=pixel_by_pixel),
    Layers("bytes apart", product=bytes_apart),
    Layers("one division", rescale=one_division, add_tensors=integer_add),
    Layers("by bisection", rescale=by_bisection, avg_pool2d=stored_mean),
    Layers(
        "separable maximum, searched thresholds", max_pool2d=rows_then_columns, reached=searched
    ),
    Layers("windows one by one", fused_conv2d=window_by_window),
    Programs(),
    *(
        TensorAdapter(Written(name, f"{profile} {function.__name__}", function, profile))
        for name, profile, function in OF_ALTERNATIVES
    ),
]
