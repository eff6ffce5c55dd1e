"""A-rounding: round each activation down or up so that the output of the layer comes out right.

For one im2col window t (R,) in steps, codes low..high in steps (-z..qmax - z, z the zero point),
weights w_hat (O, R) and the output y (O,) that the window should give, choose codes q (R,) that
make small the

    error  ||y - w_hat*q||^2    over    q_r = floor or ceil of t_r, clipped to low..high

Spec: AQ-AROUND. The choice needs y, which nobody has at inference: it says how much a better border
than nearest could win, and cannot be deployed.

To *flip* an element is to move it from its code to its other neighbour, by d_r = +1 or -1 (0 where
it has no other). With the residual e = w_hat*q - y and the Gram matrix G = w_hat^T*w_hat, a flip
changes the error by

    c_r = 2*d_r*(w_hat^T*e)_r + d_r^2*G_rr

and c_s of every other element by 2*d_s*d_r*G_rs: it costs one row of G instead of a product.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.quant.rounding import half_up
from aquant_ref.threads import map_blocks

Array = NDArray[Any]

ELEMENTS = 1 << 17  # of the windows searched at a time, so that they stay in cache
LARGEST = 16  # rows of a window whose 2^rows combinations are tried
SLACK = 8  # rounding errors that a flip has to win by, so that it surely wins


def nearest(t: Array, low: int, high: int) -> Array:
    """Where every search starts: t rounded half_up and clipped to low..high, in the dtype of t.

    Spec: AQ-AROUND-1.
    """
    return half_up(np.clip(t, low, high))


def moves(t: Array, codes: Array, low: int, high: int) -> Array:
    """d: +1, -1 or 0, what takes each code, a neighbour of its t, to the other neighbour.

    Spec: AQ-AROUND-1. 0 for an integer and for what is clipped: it has one neighbour.

    >>> moves(np.array([0.2, 0.8, 2.0, 3.5]), np.array([0.0, 1.0, 2.0, 3.0]), 0, 3).tolist()
    [1.0, -1.0, 0.0, 0.0]
    """
    inside = np.clip(t, low, high)  # the ends are integers, so before is as good as after
    d = np.asarray(np.floor(inside))
    d += np.ceil(inside)
    d -= codes
    d -= codes
    return d


def greedy_flips(
    t: Array, weight: Array, target: Array, *, low: int, high: int, max_flips: int | None = None
) -> Array:
    """Nearest codes of t (n, R, P), in which the best flip of each window is made while it pays.

    Spec: AQ-AROUND-2. weight is (O, R), or (groups, O/groups, R/groups); target (n, O, P); at most
    `max_flips` flips a window of a group. Codes in steps, (n, R, P), float32 or float64 as the
    arguments are. Raises InputError for shapes that do not fit, what is not finite (t may be
    infinite), and a range low..high without 0.

    >>> t, y = np.array([[[0.4], [0.4], [0.4]]]), np.array([[[1.2]]])
    >>> greedy_flips(t, np.ones((1, 3)), y, low=0, high=3)[0, :, 0].tolist()
    [1.0, 0.0, 0.0]
    """
    t, weight, target = checked(t, weight, target, low=low, high=high)
    weights = _by_group(t, weight, target)
    layers = [Layer(w, low, high) for w in weights]

    def search(group: int, t: Array, target: Array) -> Array:
        codes = nearest(t, low, high)
        residual = codes @ weights[group].T - target
        layers[group].descend(codes, moves(t, codes, low, high), residual, max_flips=max_flips)
        return codes

    return _by_window(search, t, weights, target)


def exhaustive(t: Array, weight: Array, target: Array, *, low: int, high: int) -> Array:
    """The codes of least error among all combinations; for windows of at most LARGEST rows.

    Spec: AQ-AROUND-3. Arguments, result and errors are those of `greedy_flips`; the combinations
    are compared in float64. Raises InputError for larger windows, too.

    >>> t, y = np.array([[[0.4], [0.4], [0.4]]]), np.array([[[1.2]]])
    >>> exhaustive(t, np.ones((1, 3)), y, low=0, high=3)[0, :, 0].tolist()
    [0.0, 0.0, 1.0]
    """
    t, weight, target = checked(t, weight, target, low=low, high=high)
    weights = _by_group(t, weight, target).astype(np.float64)
    _, outputs, rows = weights.shape
    if rows > LARGEST:
        raise InputError(f"exhaustive: a window of {rows} rows has 2^{rows} roundings, too many")
    # One combination a row: the first moves nothing, and the first element changes slowest.
    moved = np.indices((2,) * rows).reshape(rows, 2**rows).T.astype(np.float64)
    together = max(1, ELEMENTS // (len(moved) * max(1, outputs)))

    def search(group: int, t: Array, target: Array) -> Array:
        codes, w = nearest(t, low, high), weights[group].T
        d = moves(t, codes, low, high)
        for start in range(0, len(codes), together):
            part = slice(start, start + together)
            residual = codes[part] @ w - target[part]
            residuals = moved @ (d[part, :, None] * w) + residual[:, None]
            best = (residuals * residuals).sum(axis=2).argmin(axis=1)
            codes[part] += moved[best] * d[part]
        return codes

    return _by_window(search, t, weights, target)


class Layer:
    """The weights (O, R) of a layer or of one group of it, and what a flip needs of them.

    Spec: AQ-AROUND-2.
    """

    def __init__(self, weight: Array, low: int, high: int) -> None:
        self.weight = weight
        gram = weight.T @ weight
        self.power = np.diag(gram)
        # In row (1 + d_r)*R + r: what a flip of r by d_r = -1, 0 or +1 adds to c_s/d_s.
        self.effect = np.concatenate([-2 * gram, 0 * gram, 2 * gram])
        # c is as exact as a residual, a sum that may cancel, times a weight.
        self.noise = SLACK * np.finfo(weight.dtype).eps * np.sqrt(self.power.max(initial=0))
        self.largest = max(-low, high) * np.sqrt(self.power.sum())

    def descend(
        self, codes: Array, d: Array, residual: Array, *, max_flips: int | None = None
    ) -> None:
        """In each window of codes (n, R), in place, make the best flip until none lowers the error.

        Spec: AQ-AROUND-2. d (n, R) as `moves` gives it, residual (n, O). Of equal flips the first.
        """
        c = residual @ self.weight
        c *= 2 * d
        c += self.power  # not below 0: what cannot move never pays
        size = np.sqrt((residual * residual).sum(axis=1))
        least = -self.noise * (self.largest + size)
        windows = np.arange(len(codes))  # those that c, d and least are about
        for _ in count() if max_flips is None else range(max_flips):
            each = np.arange(len(windows))
            row = c.argmin(axis=1)
            best = c[each, row]
            pays = best < least
            paying = np.count_nonzero(pays)
            if not paying:
                break
            flip = d[each, row] * pays
            codes[windows, row] += flip
            effect = self.effect.take(((1 + flip) * len(self.power)).astype(np.intp) + row, axis=0)
            effect *= d
            c += effect
            c[each, row] = np.where(pays, -best, best)  # flipping back would cost what was won
            d[each, row] -= 2 * flip
            if paying < 0.8 * len(pays):  # leave behind those that are done
                c, d, least, windows = c[pays], d[pays], least[pays], windows[pays]


def checked(
    t: Array, weight: Array, target: Array, *, low: int, high: int
) -> tuple[Array, Array, Array]:
    """The three arrays in one float dtype; raises InputError as `greedy_flips` says.

    Spec: AQ-AROUND-1.
    """
    if not low <= 0 <= high:
        raise InputError(f"a-rounding: the codes {low}..{high} have no 0")
    if bool(np.isnan(t).any()):
        raise InputError("a-rounding: t holds NaN, which has no code")
    for name, values in (("weight", weight), ("target", target)):
        if not bool(np.isfinite(values).all()):
            raise InputError(f"a-rounding: the {name} holds NaN or infinity")
    dtype = np.result_type(t, weight, target, np.float32)
    return t.astype(dtype, copy=False), weight.astype(dtype), target.astype(dtype, copy=False)


def _by_group(t: Array, weight: Array, target: Array) -> Array:
    """The weights (groups, O/groups, R/groups); raises InputError if t and target do not fit."""
    weights = weight if weight.ndim == 3 else weight[None]
    if weights.ndim == t.ndim == 3 and weights.size:
        groups, outputs, rows = weights.shape
        n, _, positions = t.shape
        fits = (n, groups * rows, positions), (n, groups * outputs, positions)
        if (t.shape, target.shape) == fits:
            return weights
    raise InputError(
        f"a-rounding: t {t.shape}, weight {weight.shape} and target {target.shape} do not fit "
        "(n, R, P), (O, R) or (groups, O/groups, R/groups), and (n, O, P)"
    )


def _by_window(
    search: Callable[[int, Array, Array], Array], t: Array, weights: Array, target: Array
) -> Array:
    """Codes (n, R, P) from `search`, which sees some windows of a group, one window a row."""
    groups, outputs, rows = weights.shape
    positions = t.shape[2]
    codes = np.empty_like(t)

    def block(images: slice) -> None:
        for group in range(groups):
            part = slice(group * rows, (group + 1) * rows)
            wanted = slice(group * outputs, (group + 1) * outputs)
            found = search(group, _windows(t[images, part]), _windows(target[images, wanted]))
            shape = images.stop - images.start, positions, rows
            codes[images, part] = found.reshape(shape).transpose(0, 2, 1)

    map_blocks(block, len(t), max(1, ELEMENTS // max(1, rows * positions)))
    return codes


def _windows(x: Array) -> Array:
    """(n, R, P) to (n*P, R), contiguous: what one window needs lies together."""
    return np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(-1, x.shape[1])
