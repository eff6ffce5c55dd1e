"""Straight-through estimators: rounding in the forward pass, a declared surrogate in the backward.

The derivative of a rounding is zero almost everywhere, so each estimator is a primitive with its
own rule (SPEC.md, AQ-STE). With t = x/s, codes in low..high steps, the unclipped code
q = floor(t - B) + 1, and I = 1 where low <= q <= high, the fake-quantized activation
x_hat = s * clip(q, low, high) has

    dx = G*I    ds = sum of G*(clip(q) - I*t)    dB = -s*G*I where low < t < high, else 0

for an upstream gradient G. The border B is 1/2 (nearest, half_up), or a quadratic in
tau = clip(t, low, high)/max(-low, high) with one row of coefficients a channel,

    P = b0 + b1*tau + b2*tau^2,    sigmoid: B = max(sigmoid(4*P), BORDER_MIN),  dP = 4*B*(1 - B)*dB
                                   clip:    B = clip(1/2 + P, BORDER_MIN, 1),   dP = dB

whose dependence on t and s is left out of the rules above (it is small, and dropping it keeps the
rule of nearest rounding as the special case P = 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from autograd.extend import defvjp_argnums
from numpy.typing import NDArray

from aquant_ref.checks import shown
from aquant_ref.errors import InputError
from aquant_ref.nn.autodiff import Mask, check_shape, primitive
from aquant_ref.nn.branchless_where import branchless_where
from aquant_ref.nn.windows import images_per_block
from aquant_ref.threads import map_blocks

Array = NDArray[Any]

BORDER_MIN = 1e-6  # keeps B above 0, where zero would no longer be rounded to zero
MASKS = ("rounded", "clipped")


@dataclass(frozen=True)
class CodeRange:
    """The codes of a quantizer in steps, low..high with low <= 0 < high, and how it is learned.

    `squash` is that of the border. `mask` is what I looks at: the rounded value (QDrop) or, as LSQ
    and Genie have it, t itself (AQ-STE-1).
    """

    low: int
    high: int
    squash: str = "sigmoid"
    mask: str = "rounded"

    @property
    def larger(self) -> int:
        """The larger end of the range, which tau is counted in."""
        return max(-self.low, self.high)


@dataclass
class Rounded:
    """What rounding an array t needs and leaves: q before clipping, tau and B (None: nearest)."""

    q: Array
    t: Array
    tau: Array | None
    border: Array | None


def relative(t: Array, codes: CodeRange) -> Array:
    """tau: t clipped to the codes and divided by the larger end of their range."""
    tau = np.clip(t, codes.low, codes.high)
    tau *= t.dtype.type(1 / codes.larger)
    return tau


def polynomial(tau: Array, coefficients: Array) -> Array:
    """b0 + b1*tau + b2*tau^2 for tau (n, C, ...) and coefficients (C or 1, 3)."""
    shape = -1, *(1,) * (tau.ndim - 2)
    b0, b1, b2 = (coefficients[:, k].reshape(shape) for k in range(3))
    p = tau * b2
    p += b1
    p *= tau
    p += b0
    return p


def squashed(p: Array, squash: str) -> Array:
    """The border of P, computed in its place."""
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


def nearest(t: Array) -> Rounded:
    """T rounded half_up."""
    return Rounded(np.floor(t + t.dtype.type(0.5)), t, None, None)


def at_border(t: Array, tau: Array, border: Array) -> Rounded:
    """floor(t - B) + 1."""
    q = t - border
    np.floor(q, out=q)
    q += 1
    return Rounded(q, t, tau, border)


def pull_back(rounded: Rounded, g: Array, codes: CodeRange) -> tuple[Array, float]:
    """(G*I, ds) for the upstream gradient g; clips `rounded.q`. Spec: AQ-STE-1."""
    q, t = rounded.q, rounded.t
    looked_at = q if codes.mask == "rounded" else t
    passed = g * ((looked_at >= codes.low) & (looked_at <= codes.high))
    np.clip(q, codes.low, codes.high, out=q)
    return passed, float(np.vdot(g, q)) - float(np.vdot(passed, t))


def pull_back_border(rounded: Rounded, passed: Array, codes: CodeRange) -> Array:
    """-dP/s for the gradient `passed` = G*I; destroys `rounded.border`.

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


def powers(dp: Array, tau: Array) -> Array:
    """Sums over images and positions of dp*tau^k, k = 0, 1, 2: (C, 3); destroys dp.

    Spec: AQ-STE-2, AQ-STE-4.
    """
    sums, axes = [], (0, *range(2, dp.ndim))
    for _ in range(3):
        sums.append(dp.sum(axis=axes))
        dp *= tau
    return np.stack(sums, axis=1)


def _block(x: Array) -> int:
    return images_per_block(6 * x[:1].nbytes)


@primitive
def ste_quantize(
    x: Array,
    scale: Any,
    coefficients: Array | None = None,
    *,
    codes: CodeRange,
    keep: Mask | None = None,
) -> Array:
    """Fake-quantize activations (N, C, ...) with one scale.

    `coefficients` (C or 1, 3) are those of the border; None is nearest. Where the boolean `keep` is
    False the element stays in floating point (QDrop), and its gradient passes.

    Spec: AQ-STE-1, AQ-STE-2.
    """
    if x.ndim < 2:
        raise InputError(f"ste_quantize: needs axes (N, C, ...), got shape {x.shape}")
    check_shape("ste_quantize", "coefficients", coefficients, (x.shape[1], 3), (1, 3))
    if keep is not None and (keep.shape != x.shape or keep.dtype != np.bool_):
        raise InputError(f"ste_quantize: keep needs booleans of shape {x.shape}, got {shown(keep)}")
    out = np.empty_like(x)

    def block(part: slice) -> None:
        q = _rounded(x[part], scale, coefficients, codes).q
        np.clip(q, codes.low, codes.high, out=q)
        np.multiply(q, x.dtype.type(scale), out=out[part])
        if keep is not None:
            out[part] = branchless_where(keep[part], out[part], x[part])

    map_blocks(block, len(x), _block(x))
    return out


def _rounded(x: Array, scale: Any, coefficients: Array | None, codes: CodeRange) -> Rounded:
    t = x / x.dtype.type(scale)
    if coefficients is None:
        return nearest(t)
    tau = relative(t, codes)
    p = polynomial(tau, np.asarray(coefficients, x.dtype))
    return at_border(t, tau, squashed(p, codes.squash))


def _ste_quantize_vjp(
    argnums: tuple[int, ...], ans: Array, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    x, scale = args[:2]
    coefficients = args[2] if len(args) > 2 else None
    codes, keep = kwargs["codes"], kwargs.get("keep")

    def vjp(g: Array) -> tuple[Any, ...]:
        dx = np.empty_like(x) if 0 in argnums else None

        def block(part: slice) -> tuple[float, Array | None]:
            rounded = _rounded(x[part], scale, coefficients, codes)
            kept = g[part] if keep is None else g[part] * keep[part]
            passed, dscale = pull_back(rounded, kept, codes)
            if dx is not None and keep is None:
                dx[part] = passed
            elif dx is not None:
                np.subtract(g[part], kept, out=dx[part])  # dropped elements pass unchanged
                dx[part] += passed
            if rounded.tau is None or 2 not in argnums:
                return dscale, None
            return dscale, powers(pull_back_border(rounded, passed, codes), rounded.tau)

        parts = map_blocks(block, len(x), _block(x))
        results: dict[int, Any] = {0: dx}
        if 1 in argnums:
            results[1] = np.asarray(sum(p[0] for p in parts), np.asarray(scale).dtype)
        if 2 in argnums:
            total = np.sum([p[1] for p in parts if p[1] is not None], axis=0) * -float(scale)
            if len(args[2]) == 1:  # one border for the tensor
                total = total.sum(axis=0, keepdims=True)
            results[2] = total.astype(args[2].dtype)
        return tuple(results[i] for i in argnums)

    return vjp


defvjp_argnums(ste_quantize, _ste_quantize_vjp)
