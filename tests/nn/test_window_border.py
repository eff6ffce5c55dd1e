"""A convolution that rounds its input anew in every window, against explicit windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from autograd import grad

from aquant_ref.nn.conv import conv2d
from aquant_ref.nn.feedback import Feedback, fed_back_by_rows
from aquant_ref.nn.straight_through import CodeRange, ste_quantize
from aquant_ref.nn.window_border import bordered_conv2d
from aquant_ref.quant.border import BORDER_MIN, border
from aquant_ref.threads import set_threads

SCALE = 0.25
ARGUMENTS = ("x", "weight", "bias", "scale", "coefficients", "fusion")


@dataclass
class Case:
    """One call, with everything drawn at unit scale, and G, the upstream gradient."""

    squash: str
    fused: bool
    zero_point: int = 0
    stride: tuple[int, int] = (1, 1)
    padding: Any = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    kernel: tuple[int, int] = (3, 2)
    groups: int = 1
    channels: int = 2
    outputs: int = 4
    mask: str = "rounded"
    rank: int = 0
    drops: bool = False

    def __post_init__(self) -> None:
        rng = np.random.default_rng(7)
        self.codes = CodeRange(-self.zero_point, 3 - self.zero_point, self.squash, self.mask)
        low = SCALE * (self.codes.low - 1)
        self.x = rng.uniform(low, low + 5 * SCALE, (2, self.channels, 5, 4))
        members = self.channels // self.groups
        self.weight = rng.standard_normal((self.outputs, members, *self.kernel))
        self.bias = rng.standard_normal(self.outputs)
        self.rows = self.channels * self.kernel[0] * self.kernel[1]
        self.coefficients = rng.uniform(-0.4, 0.4, (self.rows, 3))
        self.fusion = rng.uniform(-0.6, 0.6, (self.rows, 3)) if self.fused else None
        self.feedback = None
        if self.rank:
            self.feedback = Feedback.of(self.weight, groups=self.groups, rank=self.rank)
        self.keep = None
        if self.drops:
            self.keep = rng.random((len(self.x), self.rows, *self.out_shape)) < 0.5
        self.g = rng.standard_normal(self().shape)

    def __call__(self, **changed: Any) -> Any:
        values = [changed.get(name, getattr(self, name, SCALE)) for name in ARGUMENTS]
        return bordered_conv2d(
            *(values if self.fused else values[:5]),
            codes=self.codes,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            feedback=self.feedback,
            keep=self.keep,
        )

    def mixed(self, x_hat: np.ndarray, x: np.ndarray) -> np.ndarray:
        """What a window multiplies: x_hat, or x where it is not kept quantized."""
        if self.keep is None:
            return x_hat
        kept = self.keep.reshape(len(x), self.rows, -1).transpose(0, 2, 1)
        return np.where(kept, x_hat, self.windows(x))

    def windows(self, x: np.ndarray) -> np.ndarray:
        """(N, windows, rows): what each window sees, row by row, 0 where it leaves the image."""
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        height, width = x.shape[2:]
        tops, lefts = self.first_pixels()
        out = []
        for top in tops:
            for left in lefts:
                pixels = [
                    x[:, c, top + i, left + j]
                    if 0 <= top + i < height and 0 <= left + j < width
                    else np.zeros(len(x))
                    for c in range(self.channels)
                    for i in range(0, kh * dh, dh)
                    for j in range(0, kw * dw, dw)
                ]
                out.append(np.stack(pixels, axis=1))
        return np.stack(out, axis=1)

    def first_pixels(self) -> list[range]:
        """The first row and the first column of every window."""
        places = []
        for axis, given in enumerate(self.padding):
            before, after = (given, given) if isinstance(given, int) else given
            last = (self.kernel[axis] - 1) * self.dilation[axis]
            size = self.x.shape[2 + axis]
            places.append(range(-before, size + after - last, self.stride[axis]))
        return places

    def polynomials(self, coefficients: np.ndarray, fusion: np.ndarray | None) -> np.ndarray:
        """P of every row of every window (N, windows, rows), the window's mean included."""
        tau = self.tau
        p = sum(coefficients[:, k] * tau**k for k in range(3))
        if fusion is None:
            return p
        each = sum(fusion[:, k] * tau**k for k in range(3))
        by_channel = each.reshape(*each.shape[:2], self.channels, -1)
        mean = by_channel.sum(axis=3, keepdims=True) / (self.kernel[0] * self.kernel[1])
        return p + np.broadcast_to(mean, by_channel.shape).reshape(each.shape)

    def squashed(self, p: np.ndarray) -> np.ndarray:
        if self.squash == "clip":
            return np.clip(0.5 + p, BORDER_MIN, 1)
        return np.maximum(1 / (1 + np.exp(-4 * p)), BORDER_MIN)

    @property
    def t(self) -> np.ndarray:
        return self.windows(self.x) / SCALE

    @property
    def tau(self) -> np.ndarray:
        low, high = self.codes.low, self.codes.high
        return np.clip(self.t, low, high) / max(-low, high)

    def rounded(self) -> tuple[np.ndarray, np.ndarray]:
        """The codes before clipping, and B0."""
        borders = self.squashed(self.polynomials(self.coefficients, self.fusion))
        if self.feedback is None:
            return np.floor(self.t - borders) + 1, borders

        def grouped(rows: np.ndarray) -> np.ndarray:
            return rows.transpose(0, 2, 1).reshape(len(rows), self.groups, -1, rows.shape[1])

        q = fed_back_by_rows(grouped(self.t), grouped(borders), self.feedback, self.codes)
        return q.reshape(len(q), self.rows, -1).transpose(0, 2, 1), borders

    def product(self, x_hat: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """The outputs of windows (N, windows, rows), in the shape of G."""
        members, each = self.rows // self.groups, self.outputs // self.groups
        out = [
            x_hat[:, :, o // each * members : (o // each + 1) * members] @ weight[o].ravel()
            + bias[o]
            for o in range(self.outputs)
        ]
        return np.stack(out, axis=1).reshape(len(x_hat), self.outputs, *self.out_shape)

    @property
    def out_shape(self) -> tuple[int, int]:
        tops, lefts = self.first_pixels()
        return len(tops), len(lefts)

    def passes(self, q: np.ndarray) -> np.ndarray:
        looked_at = q if self.mask == "rounded" else self.t
        return (looked_at >= self.codes.low) & (looked_at <= self.codes.high)


CASES = {
    "plain": {},
    "strided": {"stride": (2, 1)},
    "unpadded": {"padding": (0, 0)},
    "wide padding": {"padding": (2, 1), "stride": (2, 2)},
    "four sides": {"padding": ((0, 2), (1, 0)), "stride": (2, 1)},
    "dilated": {"dilation": (2, 3), "padding": (1, (2, 0)), "zero_point": 1},
    "pointwise": {"kernel": (1, 1), "padding": (0, 0)},
    "grouped": {"groups": 2, "channels": 4},
    "depthwise": {"groups": 4, "channels": 4},
    "zero point": {"zero_point": 1},
    "high zero point": {"zero_point": 3},
    "mask on t": {"mask": "clipped"},
    "one direction": {"rank": 1, "groups": 2, "channels": 4},
    "every direction": {"rank": 9, "zero_point": 2},
    "dropped at random": {"drops": True, "zero_point": 1},
    "dropped, with feedback": {"drops": True, "rank": 9, "stride": (2, 2)},
}
forms = pytest.mark.parametrize("squash", ["sigmoid", "clip"])
fusions = pytest.mark.parametrize("fused", [False, True], ids=["alone", "fused"])
cases = pytest.mark.parametrize("options", CASES.values(), ids=CASES)


@forms
@fusions
@cases
def test_the_forward_pass_is_the_sum_over_explicit_windows(
    squash: str, fused: bool, options: dict[str, Any]
) -> None:
    case = Case(squash, fused, **options)
    q, _ = case.rounded()
    x_hat = case.mixed(SCALE * np.clip(q, case.codes.low, case.codes.high), case.x)
    assert case() == pytest.approx(case.product(x_hat, case.weight, case.bias), abs=1e-12)


@forms
def test_the_border_of_a_row_is_that_of_a_channel_that_is_the_row(squash: str) -> None:
    case = Case(squash, fused=False, zero_point=1)
    found = case.rounded()[1].reshape(-1, case.rows)
    options = {"zero_point": 1, "squash": squash}
    assert border(case.t.reshape(-1, case.rows), case.coefficients, 3, **options) == (
        pytest.approx(found)
    )


@forms
@fusions
@cases
def test_the_backward_pass_is_the_slope_of_the_declared_surrogate(
    squash: str, fused: bool, options: dict[str, Any]
) -> None:
    """With q, I and B as they are, x_hat = s*(clip(q) + I*(x/s - t)) - s*I*(B(P) - B) is smooth,
    and its derivatives are the declared ones; for `clip`, B(P) goes on beyond (0, 1]."""
    case = Case(squash, fused, **options)
    q, borders = case.rounded()
    inside = case.passes(q)
    strictly = inside & (case.t > case.codes.low) & (case.t < case.codes.high)
    start = case.polynomials(case.coefficients, case.fusion)
    slope = 4 * borders * (1 - borders) if squash == "sigmoid" else 1.0

    def surrogate(**changed: Any) -> float:
        values = {name: getattr(case, name, SCALE) for name in ARGUMENTS} | changed
        t = case.windows(values["x"]) / values["scale"]
        steps = np.clip(q, case.codes.low, case.codes.high) + inside * (t - case.t)
        moved = slope * (case.polynomials(values["coefficients"], values["fusion"]) - start)
        x_hat = values["scale"] * steps - SCALE * strictly * moved
        x_hat = case.mixed(x_hat, values["x"])
        return float((case.g * case.product(x_hat, values["weight"], values["bias"])).sum())

    rng = np.random.default_rng(3)
    for name in ARGUMENTS if fused else ARGUMENTS[:5]:
        value = np.asarray(getattr(case, name, SCALE), float)
        found = grad(lambda v, name=name: (case.g * case(**{name: v})).sum())(value)
        assert found.shape == value.shape
        for _ in range(4):  # along random directions: every element counts
            direction = rng.standard_normal(value.shape)
            step = 1e-5 * direction
            high, low = surrogate(**{name: value + step}), surrogate(**{name: value - step})
            expected = (high - low) / 2e-5
            assert (found * direction).sum() == pytest.approx(expected, rel=1e-6, abs=1e-6), name


@fusions
def test_the_coefficients_get_what_the_rules_say_element_by_element(fused: bool) -> None:
    """Spec: AQ-STE-4."""
    case = Case("sigmoid", fused, stride=(2, 1))
    q, borders = case.rounded()
    upstream = np.zeros(case.t.shape)
    for o in range(case.outputs):
        g = case.g[:, o].reshape(len(case.g), -1)
        upstream += g[:, :, None] * case.weight[o].ravel()
    own, shared = np.zeros((case.rows, 3)), np.zeros((case.rows, 3))
    size = case.kernel[0] * case.kernel[1]
    for n, window, row in np.ndindex(*case.t.shape):
        t, b, tau = case.t[n, window, row], borders[n, window, row], case.tau[n, window]
        if not (0 <= q[n, window, row] <= 3 and 0 < t < 3):
            continue
        dp = -SCALE * upstream[n, window, row] * 4 * b * (1 - b)
        own[row] += [dp * tau[row] ** k for k in range(3)]
        first = row // size * size
        for other in range(first, first + size):  # the rows of the same channel
            shared[other] += [dp * tau[other] ** k / size for k in range(3)]

    def gradient(name: str) -> np.ndarray:
        value = getattr(case, name)
        return np.asarray(grad(lambda v: (case.g * case(**{name: v})).sum())(value))

    assert gradient("coefficients") == pytest.approx(own)
    if fused:
        assert gradient("fusion") == pytest.approx(shared)


@forms
def test_a_fused_gradient_goes_to_the_rows_of_one_channel_only(squash: str) -> None:
    case = Case(squash, fused=True)
    weight = case.weight.copy()
    weight[:, 1] = 0  # the second channel gets no gradient at all
    found = grad(lambda v: (case.g * case(fusion=v, weight=weight)).sum())(case.fusion)
    half = case.rows // 2
    assert found[:half].any()
    assert not found[half:].any()


@forms
def test_a_clipped_border_lets_the_gradient_pass_and_a_saturated_sigmoid_does_not(
    squash: str,
) -> None:
    case = Case(squash, fused=False)
    extreme = np.zeros((case.rows, 3))
    extreme[:, 0] = 9
    found = grad(lambda v: (case.g * case(coefficients=v)).sum())(extreme)
    assert abs(found).max() > 0.1 if squash == "clip" else abs(found).max() < 1e-9


@forms
@fusions
@pytest.mark.parametrize("zero_point", [0, 1, 3])
@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize("extreme", [-50.0, 50.0])
def test_padded_zeros_stay_zero(
    squash: str, fused: bool, zero_point: int, rank: int, extreme: float
) -> None:
    case = Case(squash, fused, zero_point=zero_point, rank=rank)
    x = np.zeros_like(case.x)
    x[:, :, 2, 1] = 0.6 * SCALE  # something for windows and feedback to tell
    every = np.full((case.rows, 3), extreme)
    changes = {"coefficients": every, **({"fusion": every} if fused else {})}
    x_hat = case(x=x, weight=np.ones_like(case.weight), bias=np.zeros(4), **changes)
    beside = np.ones(case.out_shape, bool)
    beside[1:4, 1:3] = False  # windows without the one pixel
    assert not x_hat[:, :, beside].any()
    lifted = {"weight": np.ones_like(case.weight), "bias": np.zeros(4), **changes}
    assert not case(x=np.zeros_like(x), **lifted).any()


@forms
@pytest.mark.parametrize("options", [{}, {"zero_point": 2}, {"groups": 2, "channels": 4}])
def test_zero_coefficients_are_rounding_first_and_then_the_convolution(
    squash: str, options: dict[str, Any]
) -> None:
    for fused in (False, True):
        case = Case(squash, fused, **options)
        zero = np.zeros((case.rows, 3))
        ours = case(coefficients=zero, **({"fusion": zero} if fused else {}))
        geometry = {"stride": case.stride, "padding": case.padding, "groups": case.groups}
        rounded = ste_quantize(case.x, SCALE, codes=case.codes)
        assert ours == pytest.approx(conv2d(rounded, case.weight, case.bias, **geometry))


@pytest.mark.parametrize("rank", [0, 2])
def test_the_number_of_threads_changes_no_byte(rank: int) -> None:
    case = Case("sigmoid", fused=True, rank=rank)
    rng = np.random.default_rng(1)
    case.x = rng.uniform(0, 1, (40, 2, 9, 8)).astype(np.float32)
    case.weight = case.weight.astype(np.float32)

    def everything() -> list[bytes]:
        found = grad(
            lambda s, w, c, f: (case(scale=s, weight=w, coefficients=c, fusion=f) ** 2).sum(),
            (0, 1, 2, 3),
        )(
            np.asarray(SCALE),
            case.weight,
            case.coefficients.astype(np.float32),
            np.asarray(case.fusion, np.float32),
        )
        return [np.asarray(f).tobytes() for f in (*found, case())]

    try:
        set_threads(1)
        alone = everything()
        set_threads(3)
        assert everything() == alone
    finally:
        set_threads(None)
