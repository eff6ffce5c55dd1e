"""Whole programs, each in a fresh process: the main job, its memory, and how fast they start."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import reference_models
from aquant_ref.claims.timing import alternately
from aquant_ref.formats import native
from aquant_ref.nn.training.train import initial_parameters
from aquant_ref.progress import Progress
from tests.bench.processes import Used, python
from tests.bench.rows import Goal, Row, of_values

GB, SECONDS = "GB", "s"
COMMAND = ("-m", "aquant_ref.cli.main")
NUMPY = "import numpy"
ROUNDS = 2  # at most, of what takes minutes
IMAGES, TEST_IMAGES, CLASSES, SIDE = 256, 64, 10, 256  # of resnet18; cut to 224x224


def main_job(rounds: int, progress: Progress) -> list[Row]:
    """`aquant-ref quantize` without an argument: resnet8, 1024 calibration images, 2 threads."""
    steps = progress(range(min(rounds, ROUNDS)), "aquant-ref quantize")
    runs = [python([*COMMAND, "quantize", "--threads", "2"]) for _ in steps]
    work = "`aquant-ref quantize`, all of it, 2 threads"
    images = "peak memory of `aquant-ref quantize`, resnet8, 1024 calibration images"
    return [
        of_values("job", work, Goal(60, 180, SECONDS), [each.seconds for each in runs]),
        of_values("job", images, Goal(1, 2, GB), _gigabytes(runs)),
    ]


def resnet18(rounds: int, progress: Progress) -> list[Row]:
    """The same with a network for ImageNet, of random weights, on random images; once."""
    with tempfile.TemporaryDirectory() as directory:
        arguments = large_job(Path(directory))
        runs = [python([*COMMAND, *arguments]) for _ in progress(range(1), "resnet18")]
    what = f"resnet18, {IMAGES} calibration images of 224x224, 5 iterations, 2 threads"
    return [of_values("resnet18", f"peak memory, {what}", Goal(3, 6, GB), _gigabytes(runs))]


def large_job(directory: Path) -> list[str]:
    """Write weights and images of a run of resnet18; returns the arguments of the command."""
    graph = reference_models.get("resnet18").build(CLASSES)
    names = [f"class{number}" for number in range(CLASSES)]
    weights = directory / "weights.npz"
    meta = {"model": "resnet18", "classes": names}
    native.save(weights, "weights", meta=meta, arrays=initial_parameters(graph, 0))
    rng = np.random.default_rng(0)
    for split, count in (("train", IMAGES), ("val", TEST_IMAGES)):
        for number in range(count):
            path = directory / split / names[number % CLASSES] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
            Image.fromarray(pixels).save(path, compress_level=1)
    given = {"model": "resnet18", "data": f"folder:{directory}", "weights": str(weights)}
    given |= {"images": str(IMAGES), "iters": "5"}
    options = [part for name, value in given.items() for part in (f"--{name}", value)]
    return ["quantize", "--threads", "2", *options]


def start(rounds: int, progress: Progress) -> list[Row]:
    """A fresh interpreter each, beside one that imports numpy."""
    everything = "from aquant_ref import engine, ptq, simulate"
    programs = {
        "import aquant_ref": ["-c", "import aquant_ref"],
        "aquant-ref --help": [*COMMAND, "--help"],
        everything: ["-c", everything],
        NUMPY: ["-c", NUMPY],
    }
    timings = alternately(
        {name: lambda given=given: python(given) for name, given in programs.items()},
        NUMPY,
        rounds=rounds,
        progress=progress,
    )
    goals = {
        "import aquant_ref": Goal(0.15, 0.5, SECONDS),
        "aquant-ref --help": Goal(0.25, 0.5, SECONDS),
        everything: Goal(None, None, SECONDS),
    }
    numpy = float(np.median(timings[NUMPY].seconds))
    beside = f"`{NUMPY}`: {numpy:.2f} s"
    return [
        of_values(
            "start",
            f"`{name}`, Python's start included",
            goal,
            timings[name].seconds,
            beside=beside,
        )
        for name, goal in goals.items()
    ]


def _gigabytes(runs: Sequence[Used]) -> list[float]:
    return [each.peak / 1e9 for each in runs]
