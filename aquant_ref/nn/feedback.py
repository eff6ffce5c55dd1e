"""Round with feedback: the errors so far in a window move the next border (SPEC.md, AQ-FEEDBACK).

The rows i of a window are rounded in order. The errors of the rows before change the output of the
layer by e = sum over j < i of a_j*(q_j - t'_j). That error moves the border of row i, so that the
error of row i compensates part of it:

    B_i = clip(B0_i + <e, a_i>/<w_i, w_i>, BORDER_MIN, 1),        a_j = U^T w_j

t'_j is what row j was to become: the target t_j + 1/2 - B0_j of its border where the border
decides, otherwise t_j, as far as wide codes reach. w_j is column j of the quantized weights, which
multiplies row j; U has their first r left singular vectors, so a window keeps r numbers. With all
singular vectors, each row takes the rounding that keeps the output nearest to the wanted one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aquant_ref.quant.border import BORDER_MIN
from aquant_ref.typing import Reals

if TYPE_CHECKING:
    from aquant_ref.nn.straight_through import CodeRange

PANEL = 16  # rows that affect each other one by one; between panels one BLAS product suffices


@dataclass(frozen=True)
class Feedback:
    """Hold what the feedback of a layer needs to know about its weights.

    `directions` (groups, r, R) has the columns a_j. `gain` (groups, R) is 1/<w_j, w_j>, or 0 where
    w_j = 0 and no rounding matters. `reach` are the ends of t that wide codes hold; None is the
    withdrawn rule AQ-FEEDBACK-1, with e from t clipped to the codes.
    """

    directions: Reals
    gain: Reals
    reach: tuple[float, float] | None = None

    @classmethod
    def of(
        cls,
        weight: Reals,
        *,
        groups: int = 1,
        rank: int | None = None,
        reach: tuple[float, float] | None = None,
    ) -> Feedback:
        """Derive the feedback of weights (O, C/groups, kh, kw); rank None keeps all directions."""
        matrix = weight.reshape(groups, len(weight) // groups, -1)
        power = (matrix * matrix).sum(axis=1)
        gain = np.where(power == 0, 0, 1 / np.where(power == 0, 1, power))
        if rank is None or rank >= matrix.shape[1]:
            return cls(matrix, gain.astype(weight.dtype), reach)
        left = np.linalg.svd(matrix, full_matrices=False)[0][:, :, :rank]
        along = np.matmul(left.transpose(0, 2, 1), matrix)
        return cls(along, gain.astype(weight.dtype), reach)

    @property
    def rank(self) -> int:
        """Return r, how many numbers a window keeps."""
        return int(self.directions.shape[1])

    def wanted(self, t: Reals, border: Reals, codes: CodeRange) -> Reals:
        """Return what each element was to become; the difference of its code is the error.

        Spec: AQ-FEEDBACK-1, AQ-FEEDBACK-2.
        """
        if self.reach is None:
            return np.clip(t, codes.low, codes.high)
        low, high = (t.dtype.type(end) for end in self.reach)
        decides = (t > codes.low) & (t < codes.high) & (t != np.floor(t))
        return np.clip(t, low, high) + decides * (t.dtype.type(0.5) - border)


def fed_back(t: Reals, border: Reals, feedback: Feedback, codes: CodeRange) -> Reals:
    """Round t (n, groups, R, P) with borders B0 of that shape; return codes in steps, unclipped.

    Spec: AQ-FEEDBACK-2. Up to the rounding of sums, the result is that of `fed_back_by_rows`: a
    matrix product brings the error to a panel of rows, and the rows inside it follow one by one.
    """
    a = feedback.directions.astype(t.dtype)
    gain = feedback.gain.astype(t.dtype)[:, :, None]
    q, wanted = np.empty_like(t), feedback.wanted(t, border, codes)
    error = np.zeros((*t.shape[:2], feedback.rank, t.shape[3]), t.dtype)
    for start in range(0, t.shape[2], PANEL):
        rows = slice(start, min(start + PANEL, t.shape[2]))
        panel = a[:, :, rows]
        pull = np.matmul(panel.transpose(0, 2, 1), error)  # <e, a_i> from the panels before
        gram = np.matmul(panel.transpose(0, 2, 1), panel)
        errors = np.zeros_like(pull)  # q - t of the panel's rows so far
        for i in range(panel.shape[2]):
            row = start + i
            if i:
                pull[:, :, i] += np.matmul(gram[:, i : i + 1, :i], errors[:, :, :i])[:, :, 0]
            b = pull[:, :, i] * gain[:, row]
            b += border[:, :, row]
            np.clip(b, t.dtype.type(BORDER_MIN), 1, out=b)
            np.subtract(t[:, :, row], b, out=b)
            np.floor(b, out=b)
            b += 1
            q[:, :, row] = b
            np.clip(b, codes.low, codes.high, out=b)
            np.subtract(b, wanted[:, :, row], out=errors[:, :, i])
        error += np.matmul(panel, errors)
    return q


def fed_back_by_rows(t: Reals, border: Reals, feedback: Feedback, codes: CodeRange) -> Reals:
    """Compute `fed_back` row by row, straight from the definition, slowly."""
    a, q, wanted = feedback.directions, np.empty_like(t), feedback.wanted(t, border, codes)
    error = np.zeros((*t.shape[:2], feedback.rank, t.shape[3]), t.dtype)
    for i in range(t.shape[2]):
        pull = (error * a[:, :, i, None]).sum(axis=2) * feedback.gain[:, i, None]
        b = np.clip(border[:, :, i] + pull, BORDER_MIN, 1)
        q[:, :, i] = np.floor(t[:, :, i] - b) + 1
        rounded = np.clip(q[:, :, i], codes.low, codes.high)
        error += a[:, :, i, None] * (rounded - wanted[:, :, i])[:, :, None]
    return q
