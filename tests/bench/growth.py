"""How time and memory grow: with images, width, depth, bits and iterations.

Each point is a process of its own, which learns borders for a chain of 3x3 convolutions with random
weights on random images, lowers it, and runs the program. `python -m tests.bench.growth '{...}'` is
one point.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aquant_ref.engine import Engine, lower
from aquant_ref.formats.atomic import replacing, write_json_atomic
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.train import initial_parameters
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.methods import Config, quantize
from aquant_ref.threads import set_threads
from aquant_ref.versions import versions

SIDE, RUN = 16, 256  # pixels; images that the program is run on
USUAL = {"images": 256, "width": 16, "depth": 4, "bits": 2, "iterations": 50}
SWEEPS: dict[str, tuple[int, ...]] = {
    "images": (128, 256, 512, 1024, 2048),
    "width": (8, 16, 32, 64, 128),
    "depth": (2, 4, 8, 16),
    "bits": (1, 2, 4, 8),
    "iterations": (25, 50, 100, 200, 400),
}
MEASURES = {
    "learn": "learning, s",
    "run": f"integer program, {RUN} images, s",
    "memory": "peak memory above that of the start, GB",
}


def chain(width: int, depth: int) -> Graph:
    """A stem, `depth` convolutions of `width` channels in blocks of two, and a head."""
    layer = Builder((3, SIDE, SIDE))
    with layer.block("stem"):
        conv = layer("conv", "conv2d", INPUT, channels=width, kernel=3, padding=1)
        x = layer("relu", "relu", conv)
    for number in range(depth // 2):
        with layer.block(f"block{number}"):
            for each in (1, 2):
                conv = layer(f"conv{each}", "conv2d", x, channels=width, kernel=3, padding=1)
                x = layer(f"relu{each}", "relu", conv)
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("pool", "global_avg_pool", x))
        layer("linear", "linear", x, channels=10)
    return layer.graph()


def point(images: int, width: int, depth: int, bits: int, iterations: int) -> dict[str, float]:
    """The measures of one setting, in this process, on one thread."""
    set_threads(1)
    graph = chain(width, depth)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (max(images, RUN), 3, SIDE, SIDE)).astype(np.uint8)
    before, begun = peak(), time.perf_counter()
    config = Config("aquant", bits, bits, iterations)
    model = quantize(graph, initial_parameters(graph, 0), codes[:images], config)
    learned = time.perf_counter() - begun
    engine = Engine(lower(model))
    engine.run(codes[:RUN])
    begun = time.perf_counter()
    engine.run(codes[:RUN])
    return {"learn": learned, "run": time.perf_counter() - begun, "memory": peak() - before}


def peak() -> float:
    """Peak memory of this process so far, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """The power in y = a * x^power that fits best, by least squares of the logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def sweep(progress: Progress = quiet) -> dict[str, Any]:
    """All points, as plain JSON values."""
    found: dict[str, Any] = {}
    settings = [(name, value) for name, values in SWEEPS.items() for value in values]
    for index in progress(range(len(settings)), "growth"):
        name, value = settings[index]
        made = subprocess.run(
            [sys.executable, "-m", "tests.bench.growth", json.dumps({**USUAL, name: value})],
            check=True,
            capture_output=True,
        )
        found.setdefault(name, []).append({name: value, **json.loads(made.stdout)})
    return {"usual": USUAL, "side": SIDE, "versions": versions(), "sweeps": found}


def exponents(found: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Of each sweep the exponent of each measure."""
    return {
        name: {
            measure: exponent([p[name] for p in points], [p[measure] for p in points])
            for measure in MEASURES
        }
        for name, points in found["sweeps"].items()
    }


def write(found: Mapping[str, Any], folder: Path) -> None:
    """`growth.json` and a picture for each sweep in `folder`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    write_json_atomic(folder / "growth.json", found)
    fitted = exponents(found)
    for name, points in found["sweeps"].items():
        figure, axes = pyplot.subplots(1, len(MEASURES), figsize=(11, 3.4), layout="constrained")
        x = np.array([each[name] for each in points], float)
        for axis, (measure, label) in zip(axes, MEASURES.items(), strict=True):
            y = np.array([each[measure] for each in points])
            axis.loglog(x, y, "o", color="black")
            power = fitted[name][measure]
            scale = np.exp(np.mean(np.log(y) - power * np.log(x)))
            axis.loglog(x, scale * x**power, color="tab:blue", label=f"$\\sim x^{{{power:.2f}}}$")
            axis.set_xticks(x, [f"{each:g}" for each in x])
            axis.minorticks_off()
            axis.set(xlabel=name, title=label)
            axis.grid(alpha=0.3)
            axis.legend()
        with replacing(folder / f"{name}.png") as stream:
            figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
        pyplot.close(figure)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(point(**json.loads(sys.argv[1]))))
