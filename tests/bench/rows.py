"""What a benchmark gives: rows of a table, each measured beside what it must reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from aquant_ref.claims.timing import alternately
from aquant_ref.progress import Progress, quiet

FASTER = "x as fast"  # the peer's time over ours; everything else is better the smaller it is
TIME = "x the time"  # ours over the peer's
COLUMNS = ("work", "beside", "measured", "spread", "rounds", "aim", "at least", "reached")


@dataclass(frozen=True)
class Goal:
    """The aim, and what must at least be reached, in `unit`."""

    aim: float | None
    least: float | None
    unit: str

    def reached(self, value: float, limit: float | None) -> bool | None:
        """Whether `value` is on the right side of `limit`; None where there is none."""
        if limit is None:
            return None
        return value >= limit if self.unit == FASTER else value <= limit


@dataclass(frozen=True)
class Row:
    """`ratio` is the median of `rounds`, `spread` the least and the largest; both None with a
    `note` that says why nothing was measured. `seconds` are the medians of both.
    """

    name: str
    work: str
    beside: str
    goal: Goal
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    seconds: tuple[float, ...] = ()
    rounds: int = 0
    note: str = ""

    def result(self) -> dict[str, Any]:
        """As plain JSON values."""
        values = asdict(self)
        goal = values.pop("goal")
        known = self.ratio is not None
        ok = self.goal.reached(self.ratio, self.goal.least) if self.ratio is not None else None
        met = self.goal.reached(self.ratio, self.goal.aim) if self.ratio is not None else None
        return {**values, **goal, "spread": list(self.spread or ()) if known else None} | {
            "seconds": list(self.seconds),
            "ok": ok,
            "aim_reached": met,
        }


def compared(
    name: str,
    work: str,
    ours: Callable[[], object],
    peers: Mapping[str, tuple[Goal, Callable[[], object] | str]],
    *,
    rounds: int,
    progress: Progress = quiet,
) -> list[Row]:
    """A row for each of `peers`, run alternately with ours; instead of one may be why it is not."""
    programs = {what: run for what, (_, run) in peers.items() if not isinstance(run, str)}
    timings = alternately({"ours": ours, **programs}, "ours", rounds=rounds, progress=progress)
    rows = []
    for what, (goal, run) in peers.items():
        if isinstance(run, str):
            rows.append(Row(name, work, what, goal, note=run))
            continue
        timing = timings[what]
        ratios = np.array(timing.ratios)  # the peer's over ours
        ratios = ratios if goal.unit == FASTER else 1 / ratios
        seconds = float(np.median(timing.reference)), float(np.median(timing.seconds))
        spread = float(ratios.min()), float(ratios.max())
        ratio = float(np.median(ratios))
        rows.append(Row(name, work, what, goal, ratio, spread, seconds, rounds))
    return rows


def of_values(
    name: str, work: str, goal: Goal, values: Sequence[float], *, beside: str = "-"
) -> Row:
    """A row of what was measured once a round, without a peer."""
    spread = float(min(values)), float(max(values))
    return Row(name, work, beside, goal, float(np.median(values)), spread, rounds=len(values))


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of rows as `Row.result` gives them."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for row in rows:
        unit = row["unit"]
        if row["ratio"] is None:
            cells = (row["work"], row["beside"], row["note"], "", "", *_goals(row), "not measured")
        else:
            spread = " .. ".join(_number(each) for each in row["spread"])
            reached = (
                "aim" if row["aim_reached"] else {True: "least", False: "no"}.get(row["ok"], "")
            )
            value = f"{_number(row['ratio'])} {unit}"
            rounds = str(row["rounds"])
            cells = (row["work"], row["beside"], value, spread, rounds, *_goals(row), reached)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _goals(row: Mapping[str, Any]) -> list[str]:
    return ["" if row[key] is None else f"{row[key]:g}" for key in ("aim", "least")]


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
