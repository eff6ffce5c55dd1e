"""How time and memory grow with the images, the network, the bits and the iterations.

Every point is the whole way in a process of its own, on one thread: a residual network with random
weights is quantized by AQuant with a border a channel, lowered, and run in integers on as many
images as it was calibrated with. One of its sizes grows, the others stay those of BASE. Times are
those of the processor, which other work disturbs less than the clock's.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from aquant_ref import data
from aquant_ref.engine import Engine
from aquant_ref.formats.atomic import replacing, write_json_atomic
from aquant_ref.formats.kinds import NUMBER, ListOf
from aquant_ref.formats.lock import locked
from aquant_ref.formats.measured import read_object
from aquant_ref.lowering import lower
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.training.train import initial_parameters
from aquant_ref.progress import Progress
from aquant_ref.ptq.methods import Config
from aquant_ref.ptq.pipeline import quantize_with
from aquant_ref.threads import set_threads
from tests.bench.pictures import growth_picture, power
from tests.bench.processes import python

CLASSES, STACKS = 10, 3
FILE, PLACE = "growth.json", "results"


@dataclass(frozen=True)
class Size:
    """`width` is the channels of the first stack, doubled in each later one; `depth` is the
    residual blocks of a stack; `bits` those of weights and activations.
    """

    images: int = 256
    width: int = 16
    depth: int = 1
    bits: int = 2
    iterations: int = 10


BASE = Size()
GROWING = {
    "images": (64, 128, 256, 512, 1024, 2048),
    "width": (4, 8, 16, 32, 64),
    "depth": (1, 2, 3, 4, 6),
    "bits": (2, 3, 4, 5, 6, 7, 8),
    "iterations": (10, 20, 40, 80, 160),
}
LABELS = {"quantize": "quantize", "engine": "integer engine", "peak": "peak memory"}  # s, s, GB
POINTS = {
    "sizes": ListOf(NUMBER, 2),
    "exponents": dict.fromkeys(LABELS, NUMBER),
    "last": dict.fromkeys(LABELS, NUMBER),
}


def network(width: int, depth: int) -> Graph:
    """A residual network of three stacks; width 16 and depth 1 are resnet8."""
    layer = Builder((3, 32, 32))

    def conv(name: str, x: str, channels: int, kernel: int, stride: int) -> str:
        how = {"kernel": kernel, "stride": stride, "padding": kernel // 2}
        return layer(name, "conv2d", x, channels=channels, **how)

    with layer.block("stem"):
        x = layer("relu", "relu", conv("conv", INPUT, width, 3, 1))
    for stack in range(STACKS):
        channels = width << stack
        for index in range(depth):
            stride = 2 if stack and not index else 1
            with layer.block(f"stack{stack}_{index}"):
                y = layer("relu1", "relu", conv("conv1", x, channels, 3, stride))
                y = conv("conv2", y, channels, 3, 1)
                if stride != 1:
                    x = conv("shortcut", x, channels, 1, stride)
                x = layer("relu2", "relu", layer("add", "add", y, x))
    with layer.block("head"):
        x = layer("flatten", "flatten", layer("pool", "global_avg_pool", x))
        layer("linear", "linear", x, channels=CLASSES)
    return layer.graph()


def once(size: Size) -> dict[str, float]:
    """CPU seconds of quantizing, the snap included, and of a run of the engine."""
    set_threads(1)
    graph = network(size.width, size.depth)
    images = data.load("shapes", split="train").batch(np.arange(size.images))
    config = Config("aquant", size.bits, size.bits, size.iterations)
    begun = time.process_time()
    model = quantize_with(graph, initial_parameters(graph, 0), images, config)
    quantized = time.process_time()
    engine = Engine(lower(model))
    ready = time.process_time()
    engine.run(images)
    return {"quantize": quantized - begun, "engine": time.process_time() - ready}


def point(size: Size) -> dict[str, float]:
    """The same in a process of its own, with its peak of memory."""
    used = python(["-m", "tests.bench.growth", json.dumps(asdict(size))])
    return {**json.loads(used.output), "peak": used.peak / 1e9}


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The p of a*x^p that is nearest to the points where both axes are logarithmic."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def measure(name: str, rounds: int, progress: Progress) -> dict[str, Any]:
    """The points of one size that grows: the least of all rounds, which go up, down, up, ..."""
    sizes = GROWING[name]
    found: dict[int, list[dict[str, float]]] = {value: [] for value in sizes}
    order = [each for number in range(rounds) for each in sizes[:: -1 if number % 2 else 1]]
    for index in progress(range(len(order)), f"growth with {name}"):
        value = order[index]
        found[value].append(point(replace(BASE, **{name: value})))
    least = {key: [min(each[key] for each in found[v]) for v in sizes] for key in LABELS}
    return {
        "sizes": list(sizes),
        **least,
        "exponents": {key: exponent(sizes, values) for key, values in least.items()},
        "last": {key: exponent(sizes[-2:], values[-2:]) for key, values in least.items()},
    }


def settings(rounds: int) -> dict[str, Any]:
    """What all points have in common, beside where they were measured."""
    return {"base": asdict(BASE), "rounds": rounds}


def grow(
    directory: Path,
    content: Mapping[str, Any],
    names: Sequence[str],
    rounds: int,
    progress: Progress,
) -> dict[str, Any]:
    """Measure, and write FILE and a picture for each of `names` into `directory`.

    `content` is what FILE already says, which stays unless it is measured again.
    """
    points = dict(content["growth"])
    for name in names:
        new = measure(name, rounds, progress)
        with locked(directory / FILE):  # another process may have added points
            stored = read_object(directory / FILE) if (directory / FILE).exists() else content
            points = {**points, **stored["growth"], name: new}
            ordered = {each: points[each] for each in (*GROWING, *points) if each in points}
            content = {**content, "growth": ordered}
            with replacing(directory / f"{name}.png") as stream:
                stream.write(growth_picture(name, points[name]))
            write_json_atomic(directory / FILE, content)
    return dict(content)


def markdown(content: Mapping[str, Any], place: str = PLACE) -> str:
    """The fitted exponents as a table, each with that of the last two points in brackets.

    `place` is where the pictures are.
    """
    lines = [f"| grows | {' | '.join(LABELS.values())} |", f"|{'---|' * 4}"]
    for name, points in content["growth"].items():
        powers = (f"{power(points, key)} ({power(points, key, 'last')})" for key in LABELS)
        low, high = points["sizes"][0], points["sizes"][-1]
        lines.append(f"| [{name}]({place}/{name}.png) {low} to {high} | {' | '.join(powers)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(once(Size(**json.loads(sys.argv[1])))))
