"""Show the evidence for claims 2, 3 and 5 as text tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aquant_ref.claims.borders import QUANTILES, BorderShape
from aquant_ref.claims.layer_errors import ALL, LayerErrors
from aquant_ref.typing import Reals

SHOWN = 7  # values of t for each border


def of_borders(shapes: Sequence[BorderShape]) -> str:
    """Show claim 2: one line for each border, then its values over t."""
    width = max(len(shape.name) for shape in shapes)
    lines = [
        f"{'border of':<{width}}  {'functions':>19}  {'codes':>8}  {'|B - 1/2|':>9} "
        f"{'largest':>8}  {'t - B falls':>11}  {'more than one crossing':>22}"
    ]
    for shape in shapes:
        mean, largest = shape.distance
        codes = f"{shape.low}..{shape.high}"
        lines.append(
            f"{shape.name:<{width}}  {shape.count:>19}  {codes:>8}  {mean:>9.3f} "
            f"{largest:>8.3f}  {shape.not_monotone:>11}  {shape.not_single:>22}"
        )
    header = " ".join(f"{f'{q} %':>7}" for q in QUANTILES)
    lines += ["", f"{'B(t) over functions':<{width}}  {'t, steps':>9} {'mean':>7} {header}"]
    for shape in shapes:
        chosen = np.unique(np.linspace(0, len(shape.t) - 1, SHOWN).round().astype(int))
        for number, i in enumerate(chosen):
            row = " ".join(f"{value:>7.3f}" for value in shape.quantiles[:, i])
            lines.append(
                f"{'' if number else shape.name:<{width}}  {shape.t[i]:>9.2f} "
                f"{shape.mean[i]:>7.3f} {row}"
            )
    return "\n".join(lines)


def of_errors(methods: Mapping[str, Sequence[LayerErrors]]) -> str:
    """Show claim 3: one line for each layer and method, in % of the float products and outputs."""
    first = next(iter(methods.values()))
    method_width = max(map(len, methods))
    width = max(len("all"), *(len(each.name) for each in first))
    four = " ".join(f"{column:>7}" for column in ("as is", "no w", "no a", "no p"))
    groups = ("bias of products", "bias of outputs", "error of outputs")
    lines = [
        "root mean squares, in %: of products in those of the float products; of outputs over",
        "channels, in the standard deviation of the float output; as is, and without the part of",
        "weight (w), activation (a) and propagated error (p)",
        "",
        f"{'':<{width + 2 + method_width}}  " + "  ".join(f"{group:^31}" for group in groups),
        f"{'layer':<{width}}  {'method':<{method_width}}  {four}  {four}  {four}",
    ]
    rows = {method: [_percents(each) for each in errors] for method, errors in methods.items()}
    for i, each in enumerate(first):
        for number, method in enumerate(methods):
            name = "" if number else each.name
            lines.append(f"{name:<{width}}  {method:<{method_width}}  {_cells(rows[method][i])}")
    for number, method in enumerate(methods):
        name = "" if number else "all"
        mean = _root_mean_squares(np.asarray(rows[method]))
        lines.append(f"{name:<{width}}  {method:<{method_width}}  {_cells(mean)}")
    return "\n".join(lines)


def _root_mean_squares(rows: Reals) -> list[float]:
    """Return the root mean square of each column without its NaNs; NaN for an empty column."""
    known = ~np.isnan(rows)
    count = known.sum(axis=0)
    total = np.square(rows, where=known, out=np.zeros(rows.shape)).sum(axis=0)
    return np.sqrt(np.where(count > 0, total / np.maximum(count, 1), np.nan)).tolist()


def _percents(each: LayerErrors) -> list[float]:
    """Return the twelve numbers of a line; NaN for the products of an add."""
    products = [each.product_bias.get(what, np.nan) for what in ALL]
    size = each.product_size
    outputs = [
        getattr(each.without[what], key) for key in ("rms_bias", "rms_error") for what in ALL
    ]
    return [
        *(100 * value / size if size else np.nan for value in products),
        *(100 * value / each.spread if each.spread else 0.0 for value in outputs),
    ]


def _cells(row: Sequence[float]) -> str:
    cells = [f"{'' if np.isnan(value) else format(value, '.2f'):>7}" for value in row]
    return "  ".join(" ".join(cells[start : start + 4]) for start in (0, 4, 8))


def of_overhead(result: Mapping[str, Any]) -> str:
    """Show claim 5: what each form of the border adds, counted and then measured."""
    network, forms = result["network"], result["forms"]
    width = max(len("no border"), *map(len, forms))
    lines = [
        f"the network has {network['parameters']} parameters and {network['multiply_adds']} "
        "multiply-adds an image; a border adds",
        "",
        f"{'':<{width}}  {'':>18}  {'as a polynomial':>31}  {'lowered':>31}",
        f"{'border':<{width}}  {'parameters':>18}  {'multiply-adds':>20} {'squashes':>10}  "
        f"{'operations':>20} {'entries':>10}",
    ]
    for form, cost in forms.items():
        share = cost["percent"]
        lowered = sum(cost[key] for key in ("look_ups", "table_adds", "table_multiply_adds"))
        lines.append(
            f"{form:<{width}}  {_share(cost['parameters'], share['parameters'], 18)}  "
            f"{_share(cost['multiply_adds'] + cost['adds'], share['multiply_adds'], 20)} "
            f"{cost['squashes']:>10}  {_share(lowered, share['table_operations'], 20)} "
            f"{cost['table_entries']:>10}"
        )
    lines += [
        "",
        f"ms for {result['images']} images, median of {result['rounds']} rounds; beside it how "
        "many times that without a border (least .. largest)",
        "",
    ]
    kinds = list(result["times_without"])
    lines.append(f"{'border':<{width}}  " + "  ".join(f"{kind:>27}" for kind in kinds))
    rows = {"no border": result["times_without"]}
    rows.update({form: cost["times"] for form, cost in forms.items()})
    for form, times in rows.items():
        show = _time if form in forms else _reference
        cells = [f"{show(times[kind]) if kind in times else '-':>27}" for kind in kinds]
        lines.append(f"{form:<{width}}  {'  '.join(cells)}")
    return "\n".join(lines)


def _share(count: int, percent: float, width: int) -> str:
    return f"{f'{count} ({percent:.2f} %)':>{width}}"


def _reference(each: Mapping[str, Any]) -> str:
    low, high = (1000 * seconds for seconds in each["seconds_range"])
    return f"{1000 * each['seconds']:.0f} ({low:.0f} .. {high:.0f})"


def _time(each: Mapping[str, Any]) -> str:
    low, high = each["ratio_range"]
    return f"{1000 * each['seconds']:.0f}  {each['ratio']:.2f} ({low:.2f} .. {high:.2f})"
