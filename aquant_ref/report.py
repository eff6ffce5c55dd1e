"""Results as the tables that people read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aquant_ref.engine.certificate import LayerCertificate
from aquant_ref.job import Outcome, Rerun


def of_outcome(outcome: Outcome) -> str:
    """The main job's table."""
    r = outcome.result
    top = r["top1"]
    lines = [
        f"{r['model']} on {r['data']}: {r['method']}, W{r['weight_bits']}A{r['act_bits']}, "
        f"seed {r['seed']}, {r['images']} calibration images",
        "",
        "top-1 on the test set",
        f"  float                {100 * top['float']:6.2f} %",
        f"  rounded to nearest   {100 * top['nearest']:6.2f} %",
        f"  {r['method'] + ', simulated':<20} {100 * top['simulation']:6.2f} %",
    ]
    if r["not_lowered"]:
        lines += ["", _snap_line(r["snap"]), f"no integer program: {r['not_lowered']}"]
    else:
        beside = _certificate_lines(outcome.certificates) if r["certificate"] else _ideal_lines(r)
        lines += [
            f"  {r['method'] + ', integers':<20} {100 * top['engine']:6.2f} %",
            "",
            _snap_line(r["snap"]),
            "",
            *beside,
            "",
            _exact_line(r["bit_exact"]),
        ]
    return "\n".join([*lines, f"{r['seconds']['total']:.0f} s"])


def _certificate_lines(certificates: Iterable[LayerCertificate]) -> Iterator[str]:
    yield (
        f"{'tensor':<14} {'accumulator':>27} in     {'product':<8} {'thresholds':>10} "
        f"{'margin':>9} {'error':>9}  certificate"
    )
    for c in certificates:
        span = f"{c.low} .. {c.high}"
        word = "certified" if c.certified else f"{c.fragile} fragile"
        yield (
            f"{c.name:<14} {span:>27} {c.held_in}  {c.product:<8} {c.thresholds:>10} "
            f"{c.margin:>9.1e} {c.error:>9.1e}  {word}"
        )
    yield "margin: the least of all channels; error: the largest; certified: channel by channel"


def _snap_line(snap: dict[str, Any]) -> str:
    top = {when: f"{100 * value:.2f} %" for when, value in snap["top1"].items()}
    return (
        f"snap: scales and units moved by {snap['largest_change']:.1e} at most, top-1 on the first "
        f"{snap['images']} test images {top['before']} before and {top['after']} after"
    )


def _ideal_lines(result: dict[str, Any]) -> Iterator[str]:
    """How a program in fixed point agrees with the ideal semantics."""
    ideal = result["ideal"]
    yield (
        f"fixed point, {result['fraction_bits']} fraction bits, profile {result['profile']}, "
        "against thresholds (the ideal semantics), end to end"
    )
    for name, share in ideal["differ"].items():
        yield f"  {name:<20} {100 * share:8.4f} % differ"
    top = {who: f"{100 * value:.2f} %" for who, value in ideal["top1"].items()}
    yield f"  top-1                {top['engine']} in fixed point, {top['ideal']} with thresholds"


def _exact_line(exact: dict[str, int]) -> str:
    return (
        f"engine against simulation: {exact['images']} images, {exact['tensors']} tensors, "
        f"{exact['elements']} elements, {exact['mismatches']} mismatches"
    )


def of_rerun(again: Rerun) -> str:
    """What `aquant-ref run` prints."""
    top = again.result["top1"]
    return "\n".join(
        [
            f"{again.result['program']} on {again.result['data']}",
            f"  top-1, simulated     {100 * top['simulation']:6.2f} %",
            f"  top-1, integers      {100 * top['engine']:6.2f} %",
            _exact_line(again.result["bit_exact"]),
            f"{again.result['seconds']:.0f} s",
        ]
    )
