"""Define activations, add, concat, flatten and the training loss as autograd primitives."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from autograd.extend import defvjp, defvjp_argnums

from aquant_ref.checks import check_labels, number
from aquant_ref.errors import InputError
from aquant_ref.nn.autodiff import check_axes, floats, primitive
from aquant_ref.typing import Labels, Reals

ALPHA = 0.01  # the default of PyTorch and ONNX


@primitive
def relu(x: Reals) -> Reals:
    """Return max(x, 0); its derivative at 0 is 0."""
    return np.maximum(x, x.dtype.type(0))


defvjp(relu, lambda ans, _x: lambda g: g * (ans > 0))


@primitive
def relu6(x: Reals) -> Reals:
    """Return min(max(x, 0), 6); its derivative at 0 and at 6 is 0."""
    return np.clip(x, x.dtype.type(0), x.dtype.type(6))


defvjp(relu6, lambda ans, _x: lambda g: g * ((ans > 0) & (ans < 6)))


@primitive
def leaky_relu(x: Reals, *, alpha: float = ALPHA) -> Reals:
    """Return x where x >= 0, else alpha*x; its derivative at 0 is alpha.

    Spec: AQ-IDEAL-4. Raise InputError for an alpha outside 0..1.
    """
    slope = x.dtype.type(number("leaky_relu: alpha", alpha, 0, 1))
    return np.maximum(x, x * slope)


def _leaky_relu_vjp(_ans: Reals, x: Reals, *, alpha: float = ALPHA) -> Any:
    return lambda g: g * np.where(x > 0, x.dtype.type(1), x.dtype.type(alpha))


defvjp(leaky_relu, _leaky_relu_vjp)


@primitive
def add(a: Reals, b: Reals) -> Reals:
    """Add two tensors of one shape, as a residual block does; raise InputError for two shapes."""
    if a.shape != b.shape:
        raise InputError(f"add: shapes {a.shape} and {b.shape} differ")
    return np.add(a, b)


defvjp(add, lambda _ans, _a, _b: lambda g: g, lambda _ans, _a, _b: lambda g: g)


@primitive
def mul(a: Reals, b: Reals) -> Reals:
    """Multiply two tensors of one shape element by element; raise InputError for two shapes."""
    if a.shape != b.shape:
        raise InputError(f"mul: shapes {a.shape} and {b.shape} differ")
    return np.multiply(a, b)


defvjp(mul, lambda _ans, _a, b: lambda g: g * b, lambda _ans, a, _b: lambda g: g * a)


@primitive
def concat(*inputs: Reals) -> Reals:
    """Concatenate tensors (N, C, ...) along channels, axis 1; all other axes must be equal."""
    if not inputs or min(x.ndim for x in inputs) < 2:
        raise InputError("concat: needs tensors (N, C, ...)")
    if len({(x.shape[0], *x.shape[2:]) for x in inputs}) != 1:
        shapes = " and ".join(str(x.shape) for x in inputs)
        raise InputError(f"concat: shapes {shapes} differ beyond their channels")
    return np.concatenate(inputs, axis=1)


def _concat_vjp(
    argnums: tuple[int, ...], _ans: Reals, args: tuple[Reals, ...], _kwargs: dict[str, Any]
) -> Any:
    ends = np.cumsum([x.shape[1] for x in args]).tolist()
    return lambda g: tuple(g[:, ends[i] - args[i].shape[1] : ends[i]] for i in argnums)


defvjp_argnums(concat, _concat_vjp)


@primitive
def flatten(x: Reals) -> Reals:
    """Reshape (N, ...) to (N, product of the rest), channels first."""
    return x.reshape(len(x), prod(x.shape[1:]))


defvjp(flatten, lambda _ans, x: lambda g: g.reshape(x.shape))


@floats
def softmax(logits: Reals) -> Reals:
    """Return class probabilities (N, K); subtract the maximum first, so that nothing overflows."""
    check_axes("softmax", logits, 2)
    if not logits.shape[1]:
        raise InputError(f"softmax: needs one class, got shape {logits.shape}")
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


@primitive
def softmax_cross_entropy(logits: Reals, labels: Labels) -> Any:
    """Return the mean over the batch of -log softmax(logits)[label].

    `logits` is (N, K), `labels` (N,) integers. Raise InputError for labels outside 0 to K - 1.
    """
    check_axes("loss", logits, 2)
    if not logits.size:
        raise InputError(f"loss: needs one image and one class, got shape {logits.shape}")
    check_labels(labels, *logits.shape)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=1))
    return np.mean(log_total - shifted[np.arange(len(labels)), labels])


def _softmax_cross_entropy_vjp(_ans: Any, logits: Reals, labels: Labels) -> Any:
    difference = softmax(logits)
    difference[np.arange(len(labels)), labels] -= 1
    return lambda g: g * difference / logits.dtype.type(len(labels))


defvjp(softmax_cross_entropy, _softmax_cross_entropy_vjp, argnums=(0,))
