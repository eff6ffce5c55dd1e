"""The border that feeds the error of its window back (SPEC.md, AQ-FEEDBACK).

The rows i of a window are visited in order. What the rows before have done to the layer's output,
e = sum over j < i of a_j*(q_j - t_j), moves the border of the next one, so that its own rounding
error takes some of it back:

    B_i = clip(B0_i + <e, a_i>/<w_i, w_i>, BORDER_MIN, 1),        a_j = U^T w_j

with t_j clipped to the codes, w_j column j of the quantized weights (those that row j meets) and U
their first r left singular vectors: r numbers of the window are remembered. With all of them this
is the greedy choice, row by row, of the rounding that keeps the output nearest to that of the
activations as they arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.nn.straight_through import BORDER_MIN, CodeRange

Array = NDArray[Any]

PANEL = 16  # rows whose influence on each other is followed one by one; the rest goes through BLAS


@dataclass(frozen=True)
class Feedback:
    """What the feedback of one layer needs of its weights.

    `directions` (groups, r, R) are the columns a_j; `gain` (groups, R) is 1/<w_j, w_j>, and 0 where
    w_j = 0 and no rounding matters.
    """

    directions: Array
    gain: Array

    @classmethod
    def of(cls, weight: Array, *, groups: int = 1, rank: int | None = None) -> Feedback:
        """The feedback for weights (O, C/groups, kh, kw); `rank` None keeps every direction."""
        matrix = weight.reshape(groups, len(weight) // groups, -1)
        power = (matrix * matrix).sum(axis=1)
        gain = np.where(power == 0, 0, 1 / np.where(power == 0, 1, power))
        if rank is None or rank >= matrix.shape[1]:
            return cls(matrix, gain.astype(weight.dtype))
        left = np.linalg.svd(matrix, full_matrices=False)[0][:, :, :rank]
        return cls(np.matmul(left.transpose(0, 2, 1), matrix), gain.astype(weight.dtype))

    @property
    def rank(self) -> int:
        """How many numbers of a window are remembered."""
        return int(self.directions.shape[1])


def fed_back(t: Array, border: Array, feedback: Feedback, codes: CodeRange) -> Array:
    """Round t (n, groups, R, P) with borders B0 of the same shape; not yet clipped to the codes.

    Spec: AQ-FEEDBACK-1. The error is that of the clipped codes from the clipped t: that of rounding
    alone, and the same whether t comes from wide codes or not. Equal to `fed_back_by_rows`, up to
    the rounding of sums: the error reaches a panel of rows by one matrix product, and only inside
    the panel row by row.
    """
    a = feedback.directions.astype(t.dtype)
    gain = feedback.gain.astype(t.dtype)[:, :, None]
    q, inside = np.empty_like(t), np.clip(t, codes.low, codes.high)
    error = np.zeros((*t.shape[:2], feedback.rank, t.shape[3]), t.dtype)
    for start in range(0, t.shape[2], PANEL):
        rows = slice(start, min(start + PANEL, t.shape[2]))
        panel = a[:, :, rows]
        pull = np.matmul(panel.transpose(0, 2, 1), error)  # <e, a_i> from the panels before
        gram = np.matmul(panel.transpose(0, 2, 1), panel)
        done = np.zeros_like(pull)  # q - t of the panel's rows so far
        for i in range(panel.shape[2]):
            row = start + i
            if i:
                pull[:, :, i] += np.matmul(gram[:, i : i + 1, :i], done[:, :, :i])[:, :, 0]
            b = pull[:, :, i] * gain[:, row]
            b += border[:, :, row]
            np.clip(b, t.dtype.type(BORDER_MIN), 1, out=b)
            np.subtract(t[:, :, row], b, out=b)
            np.floor(b, out=b)
            b += 1
            q[:, :, row] = b
            np.clip(b, codes.low, codes.high, out=b)
            np.subtract(b, inside[:, :, row], out=done[:, :, i])
        error += np.matmul(panel, done)
    return q


def fed_back_by_rows(t: Array, border: Array, feedback: Feedback, codes: CodeRange) -> Array:
    """`fed_back` by its definition, one row after the other: slow and obvious."""
    a, q = feedback.directions, np.empty_like(t)
    error = np.zeros((*t.shape[:2], feedback.rank, t.shape[3]), t.dtype)
    for i in range(t.shape[2]):
        pull = (error * a[:, :, i, None]).sum(axis=2) * feedback.gain[:, i, None]
        b = np.clip(border[:, :, i] + pull, BORDER_MIN, 1)
        q[:, :, i] = np.floor(t[:, :, i] - b) + 1
        made, wanted = (np.clip(v[:, :, i], codes.low, codes.high) for v in (q, t))
        error += a[:, :, i, None] * (made - wanted)[:, :, None]
    return q
