from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from autograd import grad

from aquant_ref import oracle
from aquant_ref.nn.straight_through import CodeRange, ste_quantize
from aquant_ref.quant import border
from aquant_ref.threads import set_threads

rng = np.random.default_rng(2)
QMAX, SCALE = 3, 0.25
CODES = CodeRange(0, QMAX)
X = rng.uniform(-0.3, 1.2, (5, 2, 3, 4))  # below 0 and above the largest code as well
COEFFICIENTS = np.array([[0.1, -0.3, 0.2], [-0.2, 0.1, 0.4]])
G = rng.standard_normal(X.shape)


def test_nearest_is_the_oracle_at_ties() -> None:
    x = np.array([-0.5, 0, 0.5, 1.5, 2.5, 3.5, 9]).reshape(1, 1, 1, -1) * SCALE
    codes = [oracle.quantize(Fraction(v), Fraction(SCALE), 0, 0, QMAX) for v in x.ravel()]
    assert (ste_quantize(x, SCALE, codes=CODES) / SCALE).ravel().tolist() == codes


def test_the_bordered_forward_pass_is_the_definition() -> None:
    codes = border.bordered_codes(X / SCALE, COEFFICIENTS, 2)
    assert ste_quantize(X, SCALE, COEFFICIENTS, codes=CODES) == pytest.approx(codes * SCALE)


def test_zero_coefficients_are_nearest() -> None:
    zero = ste_quantize(X, SCALE, np.zeros((2, 3)), codes=CODES)
    assert zero.tolist() == ste_quantize(X, SCALE, codes=CODES).tolist()


def declared_rules(
    x: np.ndarray, coefficients: np.ndarray, keep: np.ndarray, codes: CodeRange = CODES
) -> tuple[np.ndarray, float, np.ndarray]:
    """The rules in the docstring of `nn.straight_through`, element by element."""
    low, high = codes.low, codes.high
    dx, ds, db = np.zeros_like(x), 0.0, np.zeros_like(coefficients)
    for index in np.ndindex(*x.shape):
        g, t = G[index], x[index] / SCALE
        channel = index[1] if len(coefficients) > 1 else 0
        tau = float(np.clip(t, low, high)) / max(-low, high)
        p = sum(c * tau**k for k, c in enumerate(coefficients[channel]))
        if codes.squash == "clip":
            b, slope = min(max(0.5 + p, border.BORDER_MIN), 1), 1.0
        else:
            b = max(1 / (1 + np.exp(-4 * p)), border.BORDER_MIN)
            slope = 4 * b * (1 - b)
        q = np.floor(t - b) + 1
        if not keep[index]:
            dx[index] = g
            continue
        inside = low <= (t if codes.mask == "clipped" else q) <= high
        dx[index] = g * inside
        ds += g * (min(max(q, low), high) - inside * t)
        if inside and low < t < high:
            for k in range(3):
                db[channel, k] += slope * -SCALE * g * tau**k
    return dx, ds, db


@pytest.mark.parametrize("dropping", [False, True])
@pytest.mark.parametrize("squash", ["sigmoid", "clip"])
@pytest.mark.parametrize("mask", ["rounded", "clipped"])
@pytest.mark.parametrize("low", [0, -1, -3])
@pytest.mark.parametrize("granularity", ["channel", "tensor"])
def test_the_backward_pass_follows_the_declared_rules(
    dropping: bool, squash: str, mask: str, low: int, granularity: str
) -> None:
    """Spec: AQ-STE-1."""
    keep = rng.random(X.shape) < 0.5 if dropping else np.ones(X.shape, bool)
    codes = CodeRange(low, low + QMAX, squash, mask)
    coefficients = COEFFICIENTS if granularity == "channel" else COEFFICIENTS[:1]
    x = X + low * SCALE

    def loss(x: Any, scale: Any, coefficients: Any) -> Any:
        chosen = keep if dropping else None
        return (G * ste_quantize(x, scale, coefficients, codes=codes, keep=chosen)).sum()

    found = grad(loss, (0, 1, 2))(x, np.asarray(SCALE), coefficients)
    for ours, declared in zip(found, declared_rules(x, coefficients, keep, codes), strict=True):
        assert ours == pytest.approx(declared)


def test_the_two_masks_differ_only_within_half_a_step_of_the_ends() -> None:
    t = np.array([-0.6, -0.4, 0.2, 2.9, 3.0, 3.4, 3.6]).reshape(1, 1, 1, -1)
    passed = {
        mask: grad(lambda x, m=mask: ste_quantize(x, 1.0, codes=CodeRange(0, 3, mask=m)).sum())(t)
        for mask in ("rounded", "clipped")
    }
    assert passed["rounded"].ravel().tolist() == [0, 1, 1, 1, 1, 1, 0]
    assert passed["clipped"].ravel().tolist() == [0, 0, 1, 1, 1, 0, 0]


def test_a_clipped_border_can_come_back() -> None:
    t = np.full((1, 1, 1, 1), 1.5)
    for constant, squash in ((2.0, "clip"), (-2.0, "clip"), (20.0, "sigmoid")):
        found = grad(lambda b, s=squash: ste_quantize(t, 1.0, b, codes=CodeRange(0, 3, s)).sum())(
            np.array([[constant, 0, 0]])
        )
        assert found[0, 0] == pytest.approx(-1 if squash == "clip" else 0)


@pytest.mark.parametrize("squash", ["sigmoid", "clip"])
@pytest.mark.parametrize("zero_point", [0, 1, 3])
def test_codes_with_a_zero_point_are_the_definition(squash: str, zero_point: int) -> None:
    """Spec: AQ-STE-4."""
    x = X - zero_point * SCALE
    codes = CodeRange(-zero_point, QMAX - zero_point, squash)
    defined = border.bordered_codes(
        x / SCALE, COEFFICIENTS, 2, zero_point=zero_point, squash=squash
    )
    made = ste_quantize(x, SCALE, COEFFICIENTS, codes=codes)
    assert made == pytest.approx((defined - float(zero_point)) * SCALE)


def test_the_scale_gradient_of_a_clipped_element_is_its_code() -> None:
    high = np.full((1, 1, 1, 1), 9.0)
    gradient = grad(lambda s: ste_quantize(high, s, codes=CODES).sum())(np.asarray(SCALE))
    assert gradient == QMAX


def test_dropped_elements_stay_in_floating_point() -> None:
    """Spec: AQ-STE-3."""
    keep = rng.random(X.shape) < 0.5
    out = ste_quantize(X, SCALE, COEFFICIENTS, codes=CODES, keep=keep)
    assert (out[~keep] == X[~keep]).all()
    assert (out[keep] == ste_quantize(X, SCALE, COEFFICIENTS, codes=CODES)[keep]).all()


def test_the_border_gradient_is_the_slope_of_the_surrogate() -> None:
    # The surrogate: x_hat moves by -s for each unit of B. Its finite difference through B(b):
    """Spec: AQ-STE-2."""
    inside = (X / SCALE > 0) & (X / SCALE < QMAX)
    t = X / SCALE

    def surrogate(coefficients: np.ndarray) -> float:
        b = border.border(t, coefficients, QMAX)
        q = np.floor(t - border.border(t, COEFFICIENTS, QMAX)) + 1
        passed = inside & (q >= 0) & (q <= QMAX)
        return float((G * passed * -SCALE * b).sum())

    found = grad(lambda c: (G * ste_quantize(X, SCALE, c, codes=CODES)).sum())(COEFFICIENTS)
    for index in np.ndindex(*COEFFICIENTS.shape):
        step = np.zeros_like(COEFFICIENTS)
        step[index] = 1e-6
        slope = (surrogate(COEFFICIENTS + step) - surrogate(COEFFICIENTS - step)) / 2e-6
        assert found[index] == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_the_number_of_threads_changes_no_byte() -> None:
    x = rng.uniform(0, 1, (40, 2, 5, 5)).astype(np.float32)

    def everything() -> list[bytes]:
        found = grad(lambda s, c: (ste_quantize(x, s, c, codes=CODES) ** 2).sum(), (0, 1))(
            np.asarray(SCALE), COEFFICIENTS.astype(np.float32)
        )
        return [np.asarray(f).tobytes() for f in found]

    try:
        set_threads(1)
        alone = everything()
        set_threads(3)
        assert everything() == alone
    finally:
        set_threads(None)
