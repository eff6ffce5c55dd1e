from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np

from aquant_ref.certification.certificate import LayerCertificate
from aquant_ref.certification.counterexample import Search, Witness
from aquant_ref.cli import render
from aquant_ref.comparison.agreement import Agreement
from aquant_ref.comparison.blame import Verdict
from aquant_ref.comparison.patterns import Guess
from aquant_ref.comparison.recording import Recording
from aquant_ref.comparison.runs import Comparison
from aquant_ref.comparison.tensor_diff import Divergence, Place, TensorDiff
from aquant_ref.experiments.artifacts import Certified, Rerun

INSIDE = {"int32": True, "2^24": True, "2^53": False}


def certificate(name: str, fragile: int) -> LayerCertificate:
    return LayerCertificate(name, f"{name}.acc", -7, 9, "int32", "float32", 12, 0.5, 0.25, fragile)


def witness(codes: int) -> Witness:
    read = tuple(("image", (0, 0, column), column) for column in range(codes))
    return Witness((1, 0, 2), 8, Fraction(17, 2), 3, 4, read)


CODES = 41
LAYERS = (
    Certified(certificate("a", 0), INSIDE, True),
    Certified(certificate("b", 2), INSIDE, False, Search("b", 5, 3, witness(CODES))),
    Certified(certificate("c", 1), INSIDE, True, Search("c", 5, 3)),
    Certified(certificate("d", 1), INSIDE, True, Search("d", 5, 0)),
    Certified(certificate("e", 1), INSIDE, False, None, "reads too much"),
)


def line_of(text: str, name: str, *, last: bool = True) -> list[str]:
    lines = [line.split() for line in text.splitlines() if line.split()[:1] == [name]]
    return lines[-1] if last else lines[0]


def test_a_certificate_says_bounds_margin_and_what_is_fragile() -> None:
    text = render.of_certificates(LAYERS, "out", "float32")
    assert text.startswith("out, for a simulation in float32\n")
    numbers = ["-7", "..", "9", "int32", "float32", "12", "5.0e-01", "2.5e-01"]
    assert line_of(text, "a", last=False) == ["a", *numbers, "certified"]
    assert line_of(text, "b", last=False) == ["b", *numbers, "2", "fragile"]


def test_a_search_is_said_in_words() -> None:
    text = render.of_certificates(LAYERS, "out", "float32")
    ends = {
        "a": "int32 2^24 reached by the codes of the worst case",
        "b": "int32 2^24 not reached found in 3 tries",
        "c": "none found in 3 tries at 5 places",
        "d": "none: at the 5 nearest, no accumulator that occurs is near enough",
        "e": "int32 2^24 not known reads too much",
    }
    for name, end in ends.items():
        assert " ".join(line_of(text, name)).endswith(end), name


def test_a_witness_shows_its_numbers_and_so_many_of_its_codes() -> None:
    lines = render.of_certificates(LAYERS, "out", "float32").splitlines()
    said, codes, left_out = lines[-3:]
    assert said == (
        "b[1, 0, 2]: accumulator 8, threshold +5.0e-01 from it: 3 in integers, 4 in float32, of"
    )
    assert codes == (
        f"  image[0, 0, 0] .. [0, 0, 40]: {' '.join(map(str, range(render.CODES)))} "
        f"and {CODES - render.CODES} more, see --json"
    )
    assert "a weight of 0" in left_out


def test_certificates_in_json_hold_the_same() -> None:
    made = json.loads(render.json_of_certificates(LAYERS, "out", "float32"))
    assert (made["program"], made["dtype"]) == ("out", "float32")
    assert [each["certified"] for each in made["layers"]] == [True, False, False, False, False]
    assert made["layers"][1]["search"]["witness"]["threshold"] == "17/2"
    assert len(made["layers"][1]["search"]["witness"]["codes"]) == CODES


def divergence(**more: Any) -> Divergence:
    channels = dict.fromkeys(range(10), 1)
    places = (Place((0, 1, 2, 3), 4, 6),)
    guess = Guess("a shifted window", "all of it is one pixel to the right")
    return Divergence("conv", 10, 2, 3, channels, 4, 6, places, (guess,), **more)


RUNS = [Recording({"image": np.zeros(1)}, {}, f"{who}.npz") for who in "ab"]


def found() -> Comparison:
    tensors = (
        TensorDiff("image", note="is only in A"),
        TensorDiff("conv", 100, 10, 2, note="uint8 in A, int64 in B"),
        TensorDiff("head", why="is only in B"),
    )
    verdicts = {"B": (Verdict("conv", divergence()), Verdict("head", why="is not recorded"))}
    return Comparison(tensors, divergence(ties=3, fragile=7), verdicts)


def test_a_comparison_lists_its_tensors_and_tells_of_the_first_that_differs() -> None:
    text = render.of_comparison(found(), RUNS, "float32")
    assert text.startswith("A: a.npz")
    assert line_of(text, "image") == ["image", "is", "only", "in", "A"]
    assert line_of(text, "conv") == [
        "conv",
        "100",
        "10",
        "2",
        "uint8",
        "in",
        "A,",
        "int64",
        "in",
        "B",
    ]
    assert "\nconv: 10 elements in 3 images differ, by at most 2\n" in text
    assert "\n  at [0, 1, 2, 3]: 4 in A, 6 in B\n" in text
    assert "\n  4 at the edge of the image, 6 in its interior\n" in text
    assert "5 (1), 6 (1), 7 (1) and 2 more\n" in text
    assert "\n  3 are exact ties\n" in text
    assert "\n  7 are decisions named fragile in float32, 3 are defects\n" in text
    assert "\n  looks like a shifted window: all of it is one pixel to the right\n" in text


def test_a_run_is_judged_by_the_program() -> None:
    text = render.of_comparison(found(), RUNS, "float32")
    *_, judged = text.partition("\nB, each layer from the codes that B itself has before it: ")
    assert judged.startswith("0 of 1 tensor is what the program makes\n")
    assert "\n  at [0, 1, 2, 3]: 4 by the program, 6 in B\n" in judged
    assert judged.endswith("\nhead: not judged, is not recorded")


def test_a_comparison_in_json_says_whether_all_is_equal() -> None:
    made = json.loads(render.json_of_comparison(found(), RUNS, "float64"))
    assert (made["equal"], made["dtype"]) == (False, "float64")
    assert [run["path"] for run in made["runs"]] == ["a.npz", "b.npz"]
    assert made["first"]["fragile"] == 7


def test_a_rerun_says_on_which_images_and_how_exactly() -> None:
    result: dict[str, Any] = {
        **{"program": "out", "data": "idx:b", "quantized_on": "idx:a", "division": "seed 0"},
        "same_images": False,
        "top1": {"simulation": 0.5, "engine": 0.25},
        "bit_exact": {"images": 4, "tensors": 3, "elements": 99, "mismatches": 1},
        "seconds": 2.4,
    }
    agreement = Agreement(4, {"conv": 99}, {"conv": 1}, result["top1"])

    def shown() -> list[str]:
        return render.of_rerun(Rerun(agreement, result)).splitlines()

    assert shown() == [
        "out on idx:b, seed 0",
        "  quantized on idx:a",
        "  top-1, simulated      50.00 %",
        "  top-1, integers       25.00 %",
        "engine against simulation: 4 images, 3 tensors, 99 elements, 1 mismatch",
        "2 s",
    ]
    result["data"] = "idx:a"
    assert shown()[1] == "  quantized on idx:a, which has changed since"
    result.update(same_images=True, division="")
    assert shown()[:2] == ["out on idx:a", "  top-1, simulated      50.00 %"]
