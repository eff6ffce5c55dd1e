"""Tabulate borders that feed the error of their window back, in integers (SPEC.md, AQ-FEEDBACK).

A window keeps r numbers E, the error that its rows so far have made in r directions. The row i with
wide code u goes up where its lift reaches what E pulls, and adds its own error:

    up  = lift[i, u] >= sum over r of pull[r, i]*E_r
    E_r += directions[r, i]*(error[i, u] + 2^g*up)

All are integers, so every program takes the same decisions. The numbers of a step are:

* error = 2^g*(code - target), of the code rounded down;
* lift = 2^(g + k)*(fraction - B0), or NEVER_LIFT where there is one code to choose;
* directions = the integer weights, or r combinations of them;
* pull = 2^k*<direction, weight>/<weight, weight>, weights and outputs in the units of the layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aquant_ref.quant.window import NEVER_LIFT, WideCodes
from aquant_ref.typing import Codes, Integers, Mask, Reals

ERROR_BITS = 8  # g where the border is not 1/2: the error of a code has so many fraction bits
MOST_PULL_BITS = 14  # k, so that a pull fits int16
LEAST_PULL_BITS = 8  # k where float32 does not hold the sums anyway: 2^-9 of a step
LEAST_COMBINED_PULL_BITS = 12  # the same where directions are combinations of weights
PULL_LIMIT = (1 << 15) - 1
DIRECTION_LIMIT = 31  # the largest entry of such a combination
EXACT_BELOW = 1 << 24  # the integers that float32 holds


@dataclass(frozen=True)
class FeedbackTables:
    """Hold the tables of a convolution's border with feedback, for R rows and U wide codes.

    Spec: AQ-FEEDBACK-4. `codes` (1, U) uint8 rounds down. `lift` and `error` (R or 1, U) int32,
    `directions` and `pull` (groups, r, R/groups) int32. `error_bits` is g: a code that goes up
    has 2^g more error.
    """

    codes: Codes
    lift: Integers
    error: Integers
    directions: Integers
    pull: Integers
    error_bits: int

    @property
    def rank(self) -> int:
        """Return r, how many numbers a window keeps."""
        return int(self.directions.shape[1])

    def reach(self) -> tuple[int, int]:
        """Return the largest absolute values of an E_r and of a pull, of partial sums too."""
        total = _reach(self.directions, self.error, self.error_bits, self.lift > NEVER_LIFT)
        return int(total.max()), _pulled(self.pull, total)


def feedback_tables(
    border: Reals,
    weight: Integers,
    unit: Reals,
    bits: int,
    *,
    zero_point: int,
    wide: WideCodes,
    groups: int = 1,
    rank: int | None = None,
) -> FeedbackTables:
    """Tabulate the feedback over the border B0 `border` (R or 1, U).

    Spec: AQ-FEEDBACK-2, AQ-FEEDBACK-4. `weight` (O, C/groups, kh, kw) are integers, zero point
    taken off, and `unit` (O,) what one of them is worth; `rank` None keeps all directions.
    """
    down, up = wide.codes(bits, zero_point)
    t = wide.steps()
    decides = down < up
    target = np.where(decides, t + 0.5 - border, t)
    error_bits = wide.fraction_bits if bool((border == 0.5).all()) else ERROR_BITS
    error = np.ldexp(down.astype(np.float64) - zero_point - target, error_bits)
    error = np.rint(error).astype(np.int32)
    matrix = weight.reshape(groups, len(weight) // groups, -1).astype(np.int64)
    whole = rank is None or rank >= matrix.shape[1]
    directions, gain = _weights(matrix, unit) if whole else _combined(matrix, unit, rank or 1)
    reach = _reach(directions, error, error_bits, decides)
    least = LEAST_PULL_BITS if whole else LEAST_COMBINED_PULL_BITS
    for k in range(MOST_PULL_BITS, -1, -1):  # what 0 does not mend, the lowering refuses
        scaled = np.rint(np.ldexp(gain, k))
        pull = scaled.clip(-PULL_LIMIT, PULL_LIMIT).astype(np.int32)
        largest = _pulled(pull, reach) if np.array_equal(pull, scaled) else -NEVER_LIFT
        if largest < EXACT_BELOW or (k <= least and largest < -NEVER_LIFT):
            break
    lift = np.rint(np.ldexp(t - np.floor(t) - border, error_bits + k)).astype(np.int32)
    lift[:, ~decides] = NEVER_LIFT
    return FeedbackTables(down[None], lift, error, directions, pull, error_bits)


def _weights(matrix: Integers, unit: Reals) -> tuple[Integers, Reals]:
    """Return the integer weights as directions, and what each pulls, before 2^k."""
    worth, power = _power(matrix, unit)
    return matrix.astype(np.int32), matrix * worth * worth / power


def _combined(matrix: Integers, unit: Reals, rank: int) -> tuple[Integers, Reals]:
    """Return the first `rank` left singular vectors times the weights, and what each pulls."""
    worth, power = _power(matrix, unit)
    real = matrix * worth
    left = np.linalg.svd(real, full_matrices=False)[0][:, :, :rank]
    along = np.matmul(left.transpose(0, 2, 1), real)
    step = abs(along).max(axis=(1, 2), keepdims=True) / DIRECTION_LIMIT
    step = np.where(step == 0, 1, step)
    return np.rint(along / step).astype(np.int32), along * step / power


def _power(matrix: Integers, unit: Reals) -> tuple[Reals, Reals]:
    """Return the worth of a weight of each output, relative, and <w_i, w_i>; infinite for 0."""
    worth = unit.reshape(len(matrix), -1, 1) * (abs(matrix).max(axis=2, keepdims=True) > 0)
    worth = worth / np.maximum(worth.max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    power = (matrix * worth * matrix * worth).sum(axis=1, keepdims=True)
    return worth, np.where(power == 0, np.inf, power)


def _reach(directions: Integers, error: Integers, error_bits: int, decides: Mask) -> Integers:
    """Return the largest absolute value of each E_r, (groups, r) int64."""
    moved = error.astype(np.int64) + (decides.astype(np.int64) << error_bits)
    largest = np.maximum(abs(error.astype(np.int64)), abs(moved)).max(axis=1)
    groups, _, rows = directions.shape
    own = np.broadcast_to(largest, (groups * rows,)).reshape(groups, 1, rows)
    return np.asarray((abs(directions.astype(np.int64)) * own).sum(axis=2))


def _pulled(pull: Integers, reach: Integers) -> int:
    """Return the largest absolute value of what E pulls, where each E_r reaches `reach`."""
    return int((abs(pull.astype(np.int64)) * reach[:, :, None]).sum(axis=1).max())
