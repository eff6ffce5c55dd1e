"""The commands on a network of three layers and images of 2x3: real, and over in a moment.

`python -m tests.tiny COMMAND ...` is `aquant-ref COMMAND ...` with one more model, `tiny`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import reference_models
from aquant_ref.cli import main
from aquant_ref.formats import native
from aquant_ref.nn.graph import INPUT, Builder, Graph
from aquant_ref.nn.training.train import Recipe, initial_parameters

SHAPE = (3, 2, 3)


def build(classes: int, shape: tuple[int, int, int] = SHAPE) -> Graph:
    """Two convolutions and a head."""
    layer = Builder(shape)
    with layer.block("stem"):
        x = layer("relu", "relu", layer("conv", "conv2d", INPUT, channels=2, kernel=1))
    with layer.block("body"):
        x = layer("conv", "conv2d", x, channels=3, kernel=(1, 2), padding=(0, 1))
        x = layer("relu", "relu", x)
    with layer.block("head"):
        x = layer("flatten", "flatten", x)
        layer("linear", "linear", x, channels=classes)
    return layer.graph()


TINY = reference_models.ReferenceModel(
    "tiny", "for tests", build, {"idx": Recipe(3, batch=8, crop=0)}
)


def register() -> None:
    """Make it one of the models of this process."""
    reference_models.MODELS["tiny"] = TINY


def write_set(folder: Path, seed: int, *, train: int = 40, test: int = 10) -> str:
    """Write IDX files of random images of ten classes; returns what `--data` takes."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for prefix, count in (("train", train), ("t10k", test)):
        images = rng.integers(0, 256, (count, *SHAPE[1:]), np.uint8)
        for what, array in (("images", images), ("labels", np.arange(count, dtype=np.uint8) % 10)):
            shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
            header = bytes([0, 0, 8, array.ndim]) + shape
            path = folder / f"{prefix}-{what}-idx{array.ndim}-ubyte"
            path.write_bytes(header + array.tobytes())
    return f"idx:{folder}"


def write_weights(path: Path, seed: int) -> Path:
    """Write weights that nothing has trained."""
    graph = build(10)
    meta = {"model": "tiny", "classes": [str(number) for number in range(10)]}
    native.save(path, "weights", meta=meta, arrays=initial_parameters(graph, seed))
    return path


if __name__ in ("__main__", "__mp_main__"):  # the second: a worker of `table`
    register()
if __name__ == "__main__":
    main.command()
