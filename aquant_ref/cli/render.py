"""Results as the tables that people read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aquant_ref.errors import counted

if TYPE_CHECKING:
    from aquant_ref.certification.certificate import LayerCertificate
    from aquant_ref.certification.counterexample import Search
    from aquant_ref.comparison.blame import Verdict
    from aquant_ref.comparison.recording import Recording
    from aquant_ref.comparison.runs import Comparison
    from aquant_ref.comparison.tensor_diff import Divergence, TensorDiff
    from aquant_ref.experiments.artifacts import Certified, Rerun
    from aquant_ref.experiments.quantize import Outcome

CODES = 40  # of a witness, that are printed


def of_outcome(outcome: Outcome) -> str:
    """Format the result of the main job."""
    r = outcome.result
    top = r["top1"]
    lines = [
        f"{r['model']} on {_divided(r['data'], r['data_set'])}: {r['method']}, "
        f"W{r['weight_bits']}A{r['act_bits']}, seed {r['seed']}, "
        f"{counted(r['images'], 'calibration image')}",
        "",
        "top-1 on the test set",
        f"  float                {100 * top['float']:6.2f} %",
        f"  rounded to nearest   {100 * top['nearest']:6.2f} %",
        f"  {r['method'] + ', simulated':<20} {100 * top['simulation']:6.2f} %",
    ]
    if r["not_lowered"]:
        lines += ["", _snap_line(r["snap"]), f"no integer program: {r['not_lowered']}"]
    else:
        certificates = outcome.lowered.certificates if outcome.lowered else ()
        beside = _certificate_lines(certificates) if certificates else _ideal_lines(r)
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
        f"engine against simulation: {counted(exact['images'], 'image')}, "
        f"{counted(exact['tensors'], 'tensor')}, {counted(exact['elements'], 'element')}, "
        f"{counted(exact['mismatches'], 'mismatch', 'mismatches')}"
    )


def of_rerun(again: Rerun) -> str:
    """Format the result of `aquant-ref run`."""
    top = again.result["top1"]
    return "\n".join(
        [
            f"{again.result['program']} on {_divided(again.result['data'], again.result)}",
            *_other_images(again.result),
            f"  top-1, simulated     {100 * top['simulation']:6.2f} %",
            f"  top-1, integers      {100 * top['engine']:6.2f} %",
            _exact_line(again.result["bit_exact"]),
            f"{again.result['seconds']:.0f} s",
        ]
    )


def _divided(name: str, how: dict[str, Any]) -> str:
    """Return the name of a data set, and how it is divided if it comes undivided."""
    return ", ".join(filter(None, (name, how["division"])))


def _other_images(result: dict[str, Any]) -> Iterator[str]:
    if result["same_images"] is False:
        has = "which has changed since" if result["data"] == result["quantized_on"] else ""
        yield ", ".join(filter(None, (f"  quantized on {result['quantized_on']}", has)))


def of_certificates(layers: Sequence[Certified], directory: str, dtype: str) -> str:
    """Format the result of `aquant-ref certify`."""
    lines = [f"{directory}, for a simulation in {dtype}", ""]
    lines += _certificate_lines(layer.certificate for layer in layers)
    lines += ["", f"{'tensor':<14} {'inside':<17} {'the bounds are':<38} witness"]
    for layer in layers:
        inside = " ".join(name for name, holds in layer.inside.items() if holds)
        bounds = "reached by the codes of the worst case" if layer.reached else "not reached"
        bounds = "not known" if layer.why_not else bounds
        found = layer.why_not or _search_words(layer.search)
        lines.append(f"{layer.certificate.name:<14} {inside:<17} {bounds:<38} {found}".rstrip())
    for layer in layers:
        if layer.search is not None and layer.search.witness is not None:
            lines += ["", *_witness_lines(layer.search, dtype)]
    return "\n".join(lines)


def _search_words(search: Search | None) -> str:
    if search is None:
        return ""
    if search.witness is not None:
        return f"found in {counted(search.tries, 'try', 'tries')}"
    if search.tries:
        tries = counted(search.tries, "try", "tries")
        return f"none found in {tries} at {counted(search.places, 'place')}"
    return f"none: at the {search.places} nearest, no accumulator that occurs is near enough"


def _witness_lines(search: Search, dtype: str) -> Iterator[str]:
    witness = search.witness
    assert witness is not None
    near = ""
    if witness.threshold is not None:
        near = f", threshold {float(witness.threshold - witness.accumulator):+.1e} from it"
    yield (
        f"{search.name}{list(witness.index)}: accumulator {witness.accumulator}{near}: "
        f"{witness.integers} in integers, {witness.simulated} in {dtype}, of"
    )
    for tensor in dict.fromkeys(name for name, _, _ in witness.codes):
        codes = [(index, code) for name, index, code in witness.codes if name == tensor]
        shown = " ".join(str(code) for _, code in codes[:CODES])
        more = f" and {len(codes) - CODES} more, see --json" if len(codes) > CODES else ""
        yield f"  {tensor}{list(codes[0][0])} .. {list(codes[-1][0])}: {shown}{more}"
    yield "  (codes that meet a weight of 0 are left out)"


def json_of_certificates(layers: Sequence[Certified], directory: str, dtype: str) -> str:
    """Format the same as JSON."""
    each = [
        {**asdict(layer.certificate), "certified": layer.certificate.certified, **_plain(layer)}
        for layer in layers
    ]
    return json.dumps({"program": directory, "dtype": dtype, "layers": each}, indent=2, default=str)


def _plain(layer: Certified) -> dict[str, object]:
    parts = asdict(layer)
    del parts["certificate"]
    return parts


def of_comparison(found: Comparison, runs: Sequence[Recording], dtype: str) -> str:
    """Format the result of `aquant-ref compare`."""
    lines = [f"{who}: {run.origin}" for who, run in zip("AB", runs, strict=True)]
    lines += ["", f"{'tensor':<14} {'elements':>12} {'mismatches':>11} {'maximum':>9}"]
    lines += map(_tensor_line, found.tensors)
    if found.first is not None:
        lines += ["", "the first that differs is", *_divergence_lines(found.first, dtype)]
    for who, verdicts in found.verdicts.items():
        lines += ["", *_verdict_lines(who, verdicts, dtype)]
    return "\n".join(lines)


def _tensor_line(each: TensorDiff) -> str:
    if each.why or not each.elements:
        return f"{each.name:<14} {each.why or each.note}"
    counts = f"{each.elements:>12} {each.mismatches:>11} {each.maximum:>9g}"
    return f"{each.name:<14} {counts}  {each.note}".rstrip()


def _divergence_lines(each: Divergence, dtype: str) -> Iterator[str]:
    yield (
        f"{each.name}: {counted(each.mismatches, 'element')} in {counted(each.images, 'image')} "
        f"differ, by at most {each.maximum:g}"
    )
    for place in each.places:
        yield f"  at {list(place.index)}: {place.a:g} in A, {place.b:g} in B"
    if each.at_edge or each.interior:
        yield f"  {each.at_edge} at the edge of the image, {each.interior} in its interior"
    channels = ", ".join(f"{c} ({count})" for c, count in list(each.channels.items())[:8])
    more = f" and {len(each.channels) - 8} more" if len(each.channels) > 8 else ""
    yield f"  channels (elements): {channels}{more}"
    if each.ties is not None:
        yield f"  {each.ties} are exact ties"
    if each.fragile is not None:
        yield (
            f"  {each.fragile} are decisions named fragile in {dtype}, "
            f"{each.mismatches - each.fragile} are defects"
        )
    for guess in each.guesses:
        yield f"  looks like {guess.defect}: {guess.evidence}"
    if not each.guesses:
        yield "  looks like no defect that is known here"


def _verdict_lines(who: str, verdicts: Sequence[Verdict], dtype: str) -> Iterator[str]:
    wrong = [each for each in verdicts if each.divergence is not None]
    judged = sum(not each.why for each in verdicts)
    yield (
        f"{who}, each layer from the codes that {who} itself has before it: "
        f"{judged - len(wrong)} of {counted(judged, 'tensor is', 'tensors are')} what the program "
        "makes"
    )
    for each in verdicts:
        if each.why:
            yield f"{each.name}: not judged, {each.why}"
        if each.divergence is not None:
            # the program takes the place of A
            yield from (
                line.replace(" in A, ", " by the program, ").replace(" in B", f" in {who}")
                for line in _divergence_lines(each.divergence, dtype)
            )


def json_of_comparison(found: Comparison, runs: Sequence[Recording], dtype: str) -> str:
    """Format the same as JSON."""
    result = {
        "runs": [{"path": run.path, **run.source} for run in runs],
        "dtype": dtype,
        "equal": found.equal,
        **asdict(found),
    }
    return json.dumps(result, indent=2, default=str)
