"""Results as the tables that people read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
        lines += ["", f"no integer program: {r['not_lowered']}"]
    else:
        lines += [
            f"  {r['method'] + ', integers':<20} {100 * top['engine']:6.2f} %",
            "",
            *_certificate_lines(outcome.certificates),
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
