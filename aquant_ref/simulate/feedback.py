"""Round windows with feedback in the simulation, from the tables of the model (AQ-FEEDBACK-4).

The decisions are those of the definition, a panel of rows at a time: a matrix product brings what
the rows before pull, and the rows inside the panel follow one by one. All numbers are integers, or
such over a power of two, and computed in a float type that holds every sum exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aquant_ref.quant.feedback import EXACT_BELOW, FeedbackTables
from aquant_ref.quant.window import NEVER_LIFT
from aquant_ref.typing import Codes, Reals

PANEL = 16  # rows that affect each other one by one
COLUMNS = 4096  # windows that go through all rows together: few enough to stay in cache


@dataclass(frozen=True)
class Panel:
    """Hold what `rows` of each group need: what E pulls, the rows on one another, and on E.

    `pull` (groups, n, r), `directions` (groups, r, n). `before[i]` (groups, 1, i + 1) has what the
    rows of the panel before row i pull, and 1 for what E does.
    """

    rows: slice
    pull: Reals
    directions: Reals
    before: tuple[Reals, ...]


class FeedbackRounding:
    """Round the windows of one layer by its `tables`; `groups` as in the convolution."""

    def __init__(self, tables: FeedbackTables) -> None:
        self.tables = tables
        exact = max(tables.reach()) < EXACT_BELOW
        self.dtype = np.dtype(np.float32 if exact else np.float64)
        one = 1 << tables.error_bits  # what a code that goes up adds to the error, here 1
        self._down = tables.codes[0]
        lift = np.where(tables.lift == NEVER_LIFT, -np.inf, tables.lift / one)
        self._lift, self._error = lift.astype(self.dtype), (tables.error / one).astype(self.dtype)
        directions, pull = (each.astype(self.dtype) for each in (tables.directions, tables.pull))
        groups, _, rows = directions.shape
        self._groups, self._panels = groups, list[Panel]()
        for start in range(0, rows, PANEL):
            own = slice(start, min(start + PANEL, rows))
            of_rows = pull[:, :, own].transpose(0, 2, 1).copy()
            gram = np.matmul(of_rows, directions[:, :, own])
            one_each = np.ones((groups, 1, 1), self.dtype)
            before = (
                np.concatenate([gram[:, i : i + 1, :i], one_each], axis=2)
                for i in range(gram.shape[1])
            )
            self._panels.append(Panel(own, of_rows, directions[:, :, own].copy(), tuple(before)))

    def round(self, wide: Codes) -> Codes:
        """Return the narrow codes, uint8, of wide codes (n, R, P) in im2col order."""
        images, rows, positions = wide.shape
        out = np.empty(wide.shape, np.uint8)
        step = max(1, COLUMNS // positions)
        for start in range(0, images, step):
            part = wide[start : start + step]
            columns = np.ascontiguousarray(part.transpose(1, 0, 2)).reshape(rows, -1)
            codes = self._columns(columns).reshape(rows, -1, positions)
            out[start : start + step] = codes.transpose(1, 0, 2)
        return out

    def _columns(self, wide: Codes) -> Codes:
        """Round columns (R, N); return their narrow codes."""
        groups, shape = self._groups, (self._groups, -1, wide.shape[1])
        codes = self._down[wide].reshape(shape)
        grouped = wide.reshape(shape)
        total = np.zeros((groups, self.tables.rank, wide.shape[1]), self.dtype)
        scratch = np.empty((groups, PANEL, wide.shape[1]), self.dtype)
        pulled = np.empty((groups, 1, wide.shape[1]), self.dtype)
        for panel in self._panels:
            own = scratch[:, : panel.pull.shape[1]]  # what E pulls; row by row, then, the errors
            np.matmul(panel.pull, total, out=own)
            lift, error = (self._of_rows(t, panel, grouped) for t in (self._lift, self._error))
            for i, before in enumerate(panel.before):
                np.matmul(before, own[:, : i + 1], out=pulled)
                up = lift[:, i] >= pulled[:, 0]
                np.add(error[:, i], up, out=own[:, i])
                codes[:, panel.rows.start + i] += up
            total += np.matmul(panel.directions, own)
        return codes.reshape(wide.shape)

    def _of_rows(self, table: Reals, panel: Panel, wide: Codes) -> Reals:
        """Return the entries of `table` (R or 1, U) for the rows of a panel."""
        own = wide[:, panel.rows]
        if len(table) == 1:
            return np.asarray(table[0][own])
        rows = table.reshape(self._groups, -1, table.shape[1])[:, panel.rows]
        groups, index = np.arange(len(rows))[:, None, None], np.arange(rows.shape[1])[:, None]
        return np.asarray(rows[groups, index, own])
