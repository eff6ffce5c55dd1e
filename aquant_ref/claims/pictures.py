"""Draw the evidence for claims 2 and 3 as PNG; only this imports matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.claims.switched import WHOLE
from aquant_ref.errors import InputError, install

if TYPE_CHECKING:
    from aquant_ref.claims.borders import BorderShape
    from aquant_ref.claims.layer_errors import LayerErrors

COLUMNS = 3
SINGLE = 8  # functions of each border that get their own line
BLUE, ORANGE = "#1f5fa8", "#c2571a"
COLORS = ("#888888", BLUE, ORANGE, "#3a8a4d")
DPI = 150


def needs_matplotlib() -> None:
    """Raise InputError, in one line, if matplotlib is not installed."""
    canvas(1, 1)


def canvas(width: float, height: float) -> Any:
    """Make a figure of `width` by `height` inches that needs no display."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(f"a picture needs matplotlib: {install('notebooks')}") from error
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Any) -> bytes:
    """Return the picture as the bytes of a PNG file."""
    stream = BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def borders(shapes: Sequence[BorderShape]) -> bytes:
    """Draw claim 2: one panel for each border, B over t."""
    columns = min(COLUMNS, len(shapes))
    rows = ceil(len(shapes) / columns)
    figure = canvas(3.6 * columns + 0.4, 2.7 * rows + 0.9)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for panel, shape in zip(panels.flat, shapes, strict=False):
        _border(panel, shape)
    for panel in panels.flat[len(shapes) :]:
        panel.set_visible(False)
    for row in panels:
        row[0].set_ylabel("border B(t), in steps")
    for number, panel in enumerate(panels.flat[: len(shapes)]):
        if number + columns >= len(shapes):
            panel.set_xlabel("activation t = x/scale, in steps")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(
        "Learned borders: an activation t is rounded up where its fraction reaches B(t)"
    )
    return png(figure)


def _border(panel: Any, shape: BorderShape) -> None:
    t, curves = shape.t, shape.curves
    low, lower, middle, upper, high = shape.quantiles
    cells = min(shape.high - shape.low, 8)
    if shape.high - shape.low <= cells:  # one sawtooth for each cell; more would be unreadable
        for number, k in enumerate(range(shape.low, shape.high)):
            label = None if number else "fraction of t: up where above B"
            panel.plot([k, k + 1], [0, 1], color="#777777", linewidth=0.8, label=label, zorder=1.5)
    if shape.functions > 1:
        panel.fill_between(t, low, high, color=BLUE, alpha=0.15, linewidth=0, label="5 to 95 %")
        panel.fill_between(t, lower, upper, color=BLUE, alpha=0.3, linewidth=0, label="25 to 75 %")
        chosen = np.unique(np.linspace(0, shape.functions - 1, SINGLE).round().astype(int))
        ordered = np.argsort(curves.mean(axis=1))[chosen]  # from the lowest to the highest
        for number, i in enumerate(ordered):
            label = None if number else "some functions"
            panel.plot(t, curves[i], color=ORANGE, alpha=0.8, linewidth=0.8, label=label)
    panel.plot(t, middle, color=BLUE, linewidth=2.2, label="median")
    panel.axhline(0.5, color="black", linewidth=1, linestyle="--", label="1/2, nearest")
    panel.set_title(f"{shape.name} ({shape.count})", fontsize=10)
    panel.set_xlim(shape.low, shape.high)
    panel.set_ylim(0, 1)
    panel.set_xticks(np.unique(np.linspace(shape.low, shape.high, cells + 1).round()))


def errors(methods: Mapping[str, Sequence[LayerErrors]]) -> bytes:
    """Draw claim 3: the bias of every channel by layer and method, and below the size of errors."""
    names = [each.name for each in next(iter(methods.values()))]
    figure = canvas(max(6.0, 1.0 * len(names) + 1.5), 6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    step = 0.8 / len(methods)
    for number, (method, layers) in enumerate(methods.items()):
        color = COLORS[number % len(COLORS)]
        offset = (number - (len(methods) - 1) / 2) * step
        sizes = []
        for place, each in enumerate(layers):
            unit = each.spread or 1.0
            whole = each.without[WHOLE]
            bias = np.sort(whole.bias) / unit * 100
            spread = np.linspace(-0.4, 0.4, len(bias)) * step if len(bias) > 1 else [0.0]
            above.plot(
                place + offset + np.asarray(spread),
                bias,
                ".",
                color=color,
                markersize=3,
                label=None if place else method,
            )
            sizes.append(100 * whole.rms_error / unit)
        places = np.arange(len(layers)) + offset
        below.bar(places, sizes, 0.9 * step, color=color)
    above.axhline(0, color="black", linewidth=0.8)
    above.set_ylabel("bias of each channel, %")
    below.set_ylabel("error, root mean square, %")
    below.set_xticks(range(len(names)), names, rotation=40, ha="right")
    above.legend(frameon=False, ncols=len(methods), markerscale=3)
    for panel in (above, below):
        panel.grid(axis="y", color="#dddddd", linewidth=0.6)
        panel.set_axisbelow(True)
    figure.suptitle(
        "Error of each layer's output, in % of the standard deviation of the float output"
    )
    return png(figure)
