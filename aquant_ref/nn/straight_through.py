"""Round in the forward pass, and use a declared surrogate derivative in the backward pass.

The derivative of rounding is zero almost everywhere, so each straight-through estimator is a
primitive with its own rule (SPEC.md, AQ-STE). With t = x/s, codes low..high in steps, the unclipped
code q = floor(t - B) + 1, and I = 1 where low <= q <= high, the fake-quantized activation
x_hat = s * clip(q, low, high) has

    dx = G*I    ds = sum of G*(clip(q) - I*t)    dB = -s*G*I where low < t < high, else 0

for an upstream gradient G. The border B is 1/2 (nearest, half_up), or a quadratic in
tau = clip(t, low, high)/max(-low, high) with one row of coefficients per channel,

    P = b0 + b1*tau + b2*tau^2,    sigmoid: B = max(sigmoid(4*P), BORDER_MIN),  dP = 4*B*(1 - B)*dB
                                   clip:    B = clip(1/2 + P, BORDER_MIN, 1),   dP = dB

The rules above ignore that B depends on t and s: that dependence is small, and without it nearest
rounding stays the special case P = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from autograd.extend import defvjp_argnums

from aquant_ref.checks import shown
from aquant_ref.errors import InputError
from aquant_ref.nn.autodiff import check_shape, primitive
from aquant_ref.nn.branchless_where import branchless_where
from aquant_ref.nn.windows import images_per_block
from aquant_ref.quant.border import BORDER_MIN
from aquant_ref.threads import map_blocks
from aquant_ref.typing import Mask, Reals

MASKS = ("rounded", "clipped")


@dataclass(frozen=True)
class CodeRange:
    """Hold the code range of a quantizer in steps, low <= 0 < high, and how learning treats it.

    `squash` is that of the border. `mask` selects the value that I compares with the range
    (AQ-STE-1): "rounded" is q, as in QDrop; "clipped" is t itself, as in LSQ and Genie.
    """

    low: int
    high: int
    squash: str = "sigmoid"
    mask: str = "rounded"

    @property
    def larger(self) -> int:
        """Return the larger end of the range, the unit of tau."""
        return max(-self.low, self.high)


@dataclass
class Rounded:
    """Hold a rounded array: q before clipping, t, tau and B (both None for nearest rounding)."""

    q: Reals
    t: Reals
    tau: Reals | None
    border: Reals | None


def relative(t: Reals, codes: CodeRange) -> Reals:
    """Return tau: t clipped to the code range and divided by its larger end."""
    tau = np.clip(t, codes.low, codes.high)
    tau *= t.dtype.type(1 / codes.larger)
    return tau


def polynomial(tau: Reals, coefficients: Reals) -> Reals:
    """Return b0 + b1*tau + b2*tau^2 for tau (n, C, ...) and coefficients (C or 1, 3)."""
    shape = -1, *(1,) * (tau.ndim - 2)
    b0, b1, b2 = (coefficients[:, k].reshape(shape) for k in range(3))
    p = tau * b2
    p += b1
    p *= tau
    p += b0
    return p


def squashed(p: Reals, squash: str) -> Reals:
    """Return the border squash(P), computed in place."""
    least = p.dtype.type(BORDER_MIN)
    if squash == "clip":
        p += p.dtype.type(0.5)
        return np.clip(p, least, 1, out=p)
    p *= -4
    with np.errstate(over="ignore"):  # exp(inf) gives B = 0, which BORDER_MIN lifts
        np.exp(p, out=p)
    p += 1
    np.reciprocal(p, out=p)
    return np.maximum(p, least, out=p)


def nearest(t: Reals) -> Rounded:
    """Round t half_up."""
    return Rounded(np.floor(t + t.dtype.type(0.5)), t, None, None)


def at_border(t: Reals, tau: Reals, border: Reals) -> Rounded:
    """Round t by the border: floor(t - B) + 1."""
    q = t - border
    np.floor(q, out=q)
    q += 1
    return Rounded(q, t, tau, border)


def pull_back(rounded: Rounded, g: Reals, codes: CodeRange) -> tuple[Reals, float]:
    """Return (G*I, ds) for the upstream gradient g, and clip `rounded.q` in place.

    Spec: AQ-STE-1.
    """
    q, t = rounded.q, rounded.t
    masked = q if codes.mask == "rounded" else t
    passed = g * ((masked >= codes.low) & (masked <= codes.high))
    np.clip(q, codes.low, codes.high, out=q)
    return passed, float(np.vdot(g, q)) - float(np.vdot(passed, t))


def pull_back_border(rounded: Rounded, passed: Reals, codes: CodeRange) -> Reals:
    """Return -dP/s for the gradient `passed` = G*I, and overwrite `rounded.border`.

    Spec: AQ-STE-2, AQ-STE-4.
    """
    t, border = rounded.t, rounded.border
    assert border is not None
    dp = passed * ((t > codes.low) & (t < codes.high))
    if codes.squash == "sigmoid":
        dp *= border
        border -= 1
        dp *= border
        dp *= -4
    return dp


def powers(dp: Reals, tau: Reals) -> Reals:
    """Sum dp*tau^k over images and positions for k = 0, 1, 2, and overwrite dp; return (C, 3).

    Spec: AQ-STE-2, AQ-STE-4.
    """
    sums, axes = [], (0, *range(2, dp.ndim))
    for _ in range(3):
        sums.append(dp.sum(axis=axes))
        dp *= tau
    return np.stack(sums, axis=1)


def _block(x: Reals) -> int:
    return images_per_block(6 * x[:1].nbytes)


@primitive
def ste_quantize(
    x: Reals,
    scale: Any,
    coefficients: Reals | None = None,
    *,
    codes: CodeRange,
    keep: Mask | None = None,
) -> Reals:
    """Fake-quantize activations x (N, C, ...) with one scale.

    Spec: AQ-STE-1 to AQ-STE-3. `coefficients` (C or 1, 3) define the border; None rounds to
    nearest. Elements where the boolean `keep` is False stay in floating point, as in QDrop, and
    pass their gradient.
    """
    if x.ndim < 2:
        raise InputError(f"ste_quantize: needs axes (N, C, ...), got shape {x.shape}")
    check_shape("ste_quantize", "coefficients", coefficients, (x.shape[1], 3), (1, 3))
    if keep is not None and (keep.shape != x.shape or keep.dtype != np.bool_):
        raise InputError(f"ste_quantize: keep needs booleans of shape {x.shape}, got {shown(keep)}")
    out = np.empty_like(x)

    def block(images: slice) -> None:
        q = _rounded(x[images], scale, coefficients, codes).q
        np.clip(q, codes.low, codes.high, out=q)
        np.multiply(q, x.dtype.type(scale), out=out[images])
        if keep is not None:
            out[images] = branchless_where(keep[images], out[images], x[images])

    map_blocks(block, len(x), _block(x))
    return out


def _rounded(x: Reals, scale: Any, coefficients: Reals | None, codes: CodeRange) -> Rounded:
    t = x / x.dtype.type(scale)
    if coefficients is None:
        return nearest(t)
    tau = relative(t, codes)
    p = polynomial(tau, np.asarray(coefficients, x.dtype))
    return at_border(t, tau, squashed(p, codes.squash))


def _ste_quantize_vjp(
    argnums: tuple[int, ...], _ans: Reals, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    x, scale = args[:2]
    coefficients = args[2] if len(args) > 2 else None
    codes, keep = kwargs["codes"], kwargs.get("keep")

    def vjp(g: Reals) -> tuple[Any, ...]:
        dx = np.empty_like(x) if 0 in argnums else None

        def block(images: slice) -> tuple[float, Reals | None]:
            rounded = _rounded(x[images], scale, coefficients, codes)
            kept = g[images] if keep is None else g[images] * keep[images]
            passed, dscale = pull_back(rounded, kept, codes)
            if dx is not None and keep is None:
                dx[images] = passed
            elif dx is not None:
                np.subtract(g[images], kept, out=dx[images])  # dropped elements pass unchanged
                dx[images] += passed
            if rounded.tau is None or 2 not in argnums:
                return dscale, None
            return dscale, powers(pull_back_border(rounded, passed, codes), rounded.tau)

        per_block = map_blocks(block, len(x), _block(x))
        results: dict[int, Any] = {0: dx}
        if 1 in argnums:
            results[1] = np.asarray(sum(ds for ds, _ in per_block), np.asarray(scale).dtype)
        if 2 in argnums:
            total = np.sum([dp for _, dp in per_block if dp is not None], axis=0) * -float(scale)
            if len(args[2]) == 1:  # one border for the tensor
                total = total.sum(axis=0, keepdims=True)
            results[2] = total.astype(args[2].dtype)
        return tuple(results[i] for i in argnums)

    return vjp


defvjp_argnums(ste_quantize, _ste_quantize_vjp)
