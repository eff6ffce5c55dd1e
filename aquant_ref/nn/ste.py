"""Straight-through estimators: rounding in the forward pass, a declared surrogate in the backward.

The derivative of a rounding is zero almost everywhere, so each estimator is a primitive with its
own rule (SPEC.md, AQ-STE). With t = x/s, the unclipped code q = floor(t - B) + 1, and
I = 1 where 0 <= q <= qmax, the fake-quantized activation x_hat = s * clip(q, 0, qmax) has

    dx = G*I       ds = sum of G*(clip(q) - I*t)       dB = -s*G*I where 0 < t < qmax, else 0

for an upstream gradient G. The border B is 1/2 (nearest, half_up), or a quadratic in
tau = clip(t, 0, qmax)/qmax with one row of coefficients a channel,

    B = max(sigmoid(4*P), BORDER_MIN),     P = b0 + b1*tau + b2*tau^2,     dP = 4*B*(1 - B)*dB,

whose dependence on t and s is left out of the rules above (it is small, and dropping it keeps the
rule of nearest rounding as the special case P = 0).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import defvjp_argnums
from numpy.typing import NDArray

from aquant_ref.nn.autodiff import primitive
from aquant_ref.nn.windows import images_per_block
from aquant_ref.threads import map_blocks

Array = NDArray[Any]

BORDER_MIN = 1e-6  # keeps B above 0, where zero would no longer be rounded to zero


def _polynomial(tau: Array, coefficients: Array) -> Array:
    b0, b1, b2 = (coefficients[:, k, None, None] for k in range(3))
    p = tau * b2
    p += b1
    p *= tau
    p += b0
    return p


def _border(tau: Array, coefficients: Array) -> Array:
    """The border of each element, computed in place of the polynomial."""
    b = _polynomial(tau, coefficients)
    b *= -4
    np.exp(b, out=b)
    b += 1
    np.reciprocal(b, out=b)
    return np.maximum(b, b.dtype.type(BORDER_MIN), out=b)


def _block(x: Array) -> int:
    return images_per_block(6 * x[0].nbytes)


@primitive
def ste_quantize(
    x: Array,
    scale: Any,
    coefficients: Array | None = None,
    *,
    qmax: int,
    keep: Array | None = None,
) -> Array:
    """Fake-quantize activations (N, C, ...) to unsigned codes 0..qmax with one scale.

    `coefficients` (C, 3) are those of the border for x of four axes; None is nearest. Where the
    boolean `keep` is False the element stays in floating point (QDrop), and its gradient passes.
    """
    out = np.empty_like(x)

    def block(part: slice) -> None:
        q = _unclipped(x[part], scale, coefficients, qmax)[0]
        np.clip(q, 0, qmax, out=q)
        np.multiply(q, x.dtype.type(scale), out=out[part])
        if keep is not None:
            np.copyto(out[part], x[part], where=~keep[part])

    map_blocks(block, len(x), _block(x))
    return out


def _unclipped(
    x: Array, scale: Any, coefficients: Array | None, qmax: int
) -> tuple[Array, Array, Array | None, Array | None]:
    """(q before clipping, t, tau, B)."""
    t = x / x.dtype.type(scale)
    if coefficients is None:
        return np.floor(t + x.dtype.type(0.5)), t, None, None
    tau = np.clip(t, 0, qmax)
    tau *= x.dtype.type(1 / qmax)
    border = _border(tau, np.asarray(coefficients, x.dtype))
    q = t - border
    np.floor(q, out=q)
    q += 1
    return q, t, tau, border


def _ste_quantize_vjp(
    argnums: tuple[int, ...], ans: Array, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    x, scale = args[:2]
    coefficients = args[2] if len(args) > 2 else None
    qmax, keep = kwargs["qmax"], kwargs.get("keep")

    def vjp(g: Array) -> tuple[Any, ...]:
        dx = np.empty_like(x)

        def block(part: slice) -> tuple[float, Array | None]:
            q, t, tau, border = _unclipped(x[part], scale, coefficients, qmax)
            inside = (q >= 0) & (q <= qmax)
            kept = g[part] if keep is None else g[part] * keep[part]
            passed = kept * inside
            np.clip(q, 0, qmax, out=q)
            dscale = float(np.vdot(kept, q)) - float(np.vdot(passed, t))
            if keep is None:
                dx[part] = passed
            else:
                np.subtract(g[part], kept, out=dx[part])  # dropped elements pass unchanged
                dx[part] += passed
            if tau is None or border is None or 2 not in argnums:
                return dscale, None
            dp = passed * ((t > 0) & (t < qmax))
            dp *= border
            border -= 1  # dP = 4*B*(1 - B) * -s*G is 4*s*G*B*(B - 1)
            dp *= border
            dcoefficients = []
            for _ in range(3):
                dcoefficients.append(dp.sum(axis=(0, 2, 3)))
                dp *= tau
            return dscale, np.stack(dcoefficients, axis=1) * x.dtype.type(4 * scale)

        parts = map_blocks(block, len(x), _block(x))
        results: dict[int, Any] = {0: dx}
        if 1 in argnums:
            results[1] = np.asarray(sum(p[0] for p in parts), np.asarray(scale).dtype)
        if 2 in argnums:
            results[2] = np.sum([p[1] for p in parts if p[1] is not None], axis=0).astype(
                args[2].dtype
            )
        return tuple(results[i] for i in argnums)

    return vjp


defvjp_argnums(ste_quantize, _ste_quantize_vjp)
