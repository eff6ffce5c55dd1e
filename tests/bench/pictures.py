"""The growth of one size as a picture: times and memory over it, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aquant_ref.claims.pictures import BLUE, ORANGE, canvas, png

WHAT = {
    "images": "images, calibrated with and run",
    "width": "channels of the first stack",
    "depth": "residual blocks of a stack",
    "bits": "bits of weights and activations",
    "iterations": "iterations a block and pass",
}
LINES = {"quantize": (BLUE, "o"), "engine": (ORANGE, "s"), "peak": (BLUE, "o")}
LABELS = {"quantize": "quantize", "engine": "integer engine", "peak": "the whole process"}


def growth_picture(name: str, points: Mapping[str, Any]) -> bytes:
    """Time and memory, each with the power law a*x^p that is nearest to its points; PNG."""
    figure = canvas(8, 3.6)
    time, memory = figure.subplots(1, 2)
    for panel, keys, unit in (
        (time, ("quantize", "engine"), "CPU seconds, 1 thread"),
        (memory, ("peak",), "peak memory in GB"),
    ):
        for key in keys:
            _line(panel, key, points)
        _axes(panel, points["sizes"], unit)
        panel.set_xlabel(WHAT[name])
    figure.suptitle(f"Cost over {WHAT[name]}")
    return png(figure)


def power(points: Mapping[str, Any], key: str, which: str = "exponents") -> str:
    """An exponent as text; never "-0.00"."""
    return f"{round(points[which][key], 2) + 0.0:.2f}"


def _line(panel: Any, key: str, points: Mapping[str, Any]) -> None:
    sizes, values = np.array(points["sizes"], float), np.array(points[key])
    fitted = points["exponents"][key]
    factor = np.exp(np.mean(np.log(values) - fitted * np.log(sizes)))
    color, marker = LINES[key]
    whole, end = power(points, key), power(points, key, "last")
    label = f"{LABELS[key]}: $x^{{{whole}}}$, at the end $x^{{{end}}}$"
    panel.plot(sizes, values, marker, color=color, label=label)
    panel.plot(sizes, factor * sizes**fitted, "--", color=color, linewidth=1)


def _axes(panel: Any, sizes: Sequence[int], unit: str) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks(sizes, [str(size) for size in sizes])
    panel.minorticks_off()
    low, high = panel.get_ylim()
    low, high = low / 2, high * 4  # room for the legend above
    ticks = [m * 10.0**e for e in range(-4, 5) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
    panel.set_ylim(low, high)
    panel.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.set_ylabel(unit)
    panel.grid(color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.legend(frameon=False, loc="upper left", fontsize=9)
