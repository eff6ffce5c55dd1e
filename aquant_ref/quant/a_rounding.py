"""Round activations down or up so that the output of the layer is as accurate as possible.

Take one im2col window t (R,) in steps, the code range low..high in steps (-z..qmax - z, with zero
point z), weights w_hat (O, R) and the wanted output y (O,). A-rounding chooses codes q (R,) that
make this small, `exhaustive` as small as possible and `greedy_flips` to a local minimum:

    error  ||y - w_hat*q||^2    over    q_r = floor or ceil of t_r, clipped to low..high

Spec: AQ-AROUND. The choice needs y, which is unknown at inference, so A-rounding cannot be
deployed; it measures how much a border could gain over nearest rounding.

A *flip* moves an element from its code to the other neighbour of t_r, by d_r = +1 or -1, or 0 if
there is no other neighbour. With the residual e = w_hat*q - y and the Gram matrix
G = w_hat^T*w_hat, a flip changes the error by

    c_r = 2*d_r*(w_hat^T*e)_r + d_r^2*G_rr

and changes c_s of every other element by 2*d_s*d_r*G_rs. One row of G replaces a matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import numpy as np

from aquant_ref.errors import InputError
from aquant_ref.quant.rounding import half_up
from aquant_ref.threads import map_blocks
from aquant_ref.typing import Reals

ELEMENTS = 1 << 17  # per block of windows, so that a block stays in cache
LARGEST = 16  # rows of a window for `exhaustive`, which tries 2^rows combinations
SLACK = 8  # a flip must gain more than this many rounding errors


def nearest(t: Reals, low: int, high: int) -> Reals:
    """Return the start of every search: t rounded half_up, clipped to low..high, in its dtype.

    Spec: AQ-AROUND-1.
    """
    return half_up(np.clip(t, low, high))


def moves(t: Reals, codes: Reals, low: int, high: int) -> Reals:
    """Return d in {-1, 0, 1}, the step from each code to the other neighbour of its t.

    Spec: AQ-AROUND-1. d is 0 for integers and for clipped values, which have one neighbour.

    >>> moves(np.array([0.2, 0.8, 2.0, 3.5]), np.array([0.0, 1.0, 2.0, 3.0]), 0, 3).tolist()
    [1.0, -1.0, 0.0, 0.0]
    """
    clipped = np.clip(t, low, high)  # low and high are integers, so clipping may come first
    d = np.asarray(np.floor(clipped))
    d += np.ceil(clipped)
    d -= codes
    d -= codes
    return d


def greedy_flips(
    t: Reals, weight: Reals, target: Reals, *, low: int, high: int, max_flips: int | None = None
) -> Reals:
    """Round t (n, R, P) to nearest, then make the best flip of each window while it pays.

    Spec: AQ-AROUND-2. `weight` is (O, R) or (groups, O/groups, R/groups), `target` (n, O, P). Make
    at most `max_flips` flips per window of a group. Return codes in steps, (n, R, P), in the float
    dtype of the arguments. Raise InputError for shapes that do not fit, for values that are not
    finite (t may be infinite), and for a range low..high without 0.

    >>> t, y = np.array([[[0.4], [0.4], [0.4]]]), np.array([[[1.2]]])
    >>> greedy_flips(t, np.ones((1, 3)), y, low=0, high=3)[0, :, 0].tolist()
    [1.0, 0.0, 0.0]
    """
    t, weight, target = _checked(t, weight, target, low=low, high=high)
    weights = _by_group(t, weight, target)
    layers = [Layer(w, low, high) for w in weights]

    def search(group: int, t: Reals, target: Reals) -> Reals:
        codes = nearest(t, low, high)
        residual = codes @ weights[group].T - target
        layers[group].descend(codes, moves(t, codes, low, high), residual, max_flips=max_flips)
        return codes

    return _by_window(search, t, weights, target)


def exhaustive(t: Reals, weight: Reals, target: Reals, *, low: int, high: int) -> Reals:
    """Return the codes of least error among all combinations, for windows of at most LARGEST rows.

    Spec: AQ-AROUND-3. Arguments, result and errors are those of `greedy_flips`; errors are compared
    in float64. Raise InputError for larger windows, too.

    >>> t, y = np.array([[[0.4], [0.4], [0.4]]]), np.array([[[1.2]]])
    >>> exhaustive(t, np.ones((1, 3)), y, low=0, high=3)[0, :, 0].tolist()
    [0.0, 0.0, 1.0]
    """
    t, weight, target = _checked(t, weight, target, low=low, high=high)
    weights = _by_group(t, weight, target).astype(np.float64)
    _, outputs, rows = weights.shape
    if rows > LARGEST:
        raise InputError(f"exhaustive: a window of {rows} rows has 2^{rows} roundings, too many")
    # One combination per row; the first moves nothing, and the first element changes slowest.
    moved = np.indices((2,) * rows).reshape(rows, 2**rows).T.astype(np.float64)
    chunk = max(1, ELEMENTS // (len(moved) * max(1, outputs)))

    def search(group: int, t: Reals, target: Reals) -> Reals:
        codes, w = nearest(t, low, high), weights[group].T
        d = moves(t, codes, low, high)
        for start in range(0, len(codes), chunk):
            windows = slice(start, start + chunk)
            residual = codes[windows] @ w - target[windows]
            residuals = moved @ (d[windows, :, None] * w) + residual[:, None]
            best = (residuals * residuals).sum(axis=2).argmin(axis=1)
            codes[windows] += moved[best] * d[windows]
        return codes

    return _by_window(search, t, weights, target)


class Layer:
    """Hold the weights (O, R) of a layer, or of one of its groups, ready for flips.

    Spec: AQ-AROUND-2.
    """

    def __init__(self, weight: Reals, low: int, high: int) -> None:
        self.weight = weight
        gram = weight.T @ weight
        self.power = np.diag(gram)
        # Row (1 + d_r)*R + r is what a flip of r by d_r = -1, 0 or +1 adds to c_s/d_s.
        self.effect = np.concatenate([-2 * gram, 0 * gram, 2 * gram])
        # The rounding error of c is that of a residual, a sum that may cancel, times a weight.
        self.noise = SLACK * np.finfo(weight.dtype).eps * np.sqrt(self.power.max(initial=0))
        self.largest = max(-low, high) * np.sqrt(self.power.sum())

    def descend(
        self, codes: Reals, d: Reals, residual: Reals, *, max_flips: int | None = None
    ) -> None:
        """Make the best flip of each window of codes (n, R), in place, while it lowers the error.

        Spec: AQ-AROUND-2. `d` (n, R) is that of `moves`, `residual` (n, O). The first of equal
        flips wins.
        """
        c = residual @ self.weight
        c *= 2 * d
        c += self.power  # 0 or more where d is 0, so an element that cannot move never pays
        size = np.sqrt((residual * residual).sum(axis=1))
        least = -self.noise * (self.largest + size)
        windows = np.arange(len(codes))  # the windows that the rows of c, d and least describe
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
            c[each, row] = np.where(pays, -best, best)  # flipping back costs what the flip gained
            d[each, row] -= 2 * flip
            if paying < 0.8 * len(pays):  # drop the finished windows
                c, d, least, windows = c[pays], d[pays], least[pays], windows[pays]


def _checked(
    t: Reals, weight: Reals, target: Reals, *, low: int, high: int
) -> tuple[Reals, Reals, Reals]:
    """Return the three arrays in one float dtype; raise InputError as `greedy_flips` says."""
    if not low <= 0 <= high:
        raise InputError(f"a-rounding: the code range {low}..{high} does not include 0")
    if bool(np.isnan(t).any()):
        raise InputError("a-rounding: t holds NaN, which has no code")
    for name, values in (("weight", weight), ("target", target)):
        if not bool(np.isfinite(values).all()):
            raise InputError(f"a-rounding: the {name} holds NaN or infinity")
    dtype = np.result_type(t, weight, target, np.float32)
    return t.astype(dtype, copy=False), weight.astype(dtype), target.astype(dtype, copy=False)


def _by_group(t: Reals, weight: Reals, target: Reals) -> Reals:
    """Return weights (groups, O/groups, R/groups); raise InputError if t or target do not fit."""
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
    search: Callable[[int, Reals, Reals], Reals], t: Reals, weights: Reals, target: Reals
) -> Reals:
    """Return codes (n, R, P) from `search`, which gets some windows of a group, one per row."""
    groups, outputs, rows = weights.shape
    positions = t.shape[2]
    codes = np.empty_like(t)

    def block(images: slice) -> None:
        for group in range(groups):
            r = slice(group * rows, (group + 1) * rows)
            o = slice(group * outputs, (group + 1) * outputs)
            searched = search(group, _windows(t[images, r]), _windows(target[images, o]))
            shape = images.stop - images.start, positions, rows
            codes[images, r] = searched.reshape(shape).transpose(0, 2, 1)

    map_blocks(block, len(t), max(1, ELEMENTS // max(1, rows * positions)))
    return codes


def _windows(x: Reals) -> Reals:
    """Turn (n, R, P) into (n*P, R), contiguous, so that each window is one row in memory."""
    return np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(-1, x.shape[1])
