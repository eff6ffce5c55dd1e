"""What a user waits for, and what it takes: whole commands in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from aquant_ref.progress import Progress
from tests.bench.rows import Goal, Row, measured

COMMAND = "import sys; from aquant_ref.cli import main; sys.exit(main(sys.argv[1:]))"
GIGABYTE = 1e9
STARTS = 5  # of a process, for each round


def child(code: str, *arguments: str) -> tuple[float, float]:
    """Seconds and peak memory in GB of a Python process; raises RuntimeError if it fails."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: exit code {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, usage.ru_maxrss * unit / GIGABYTE


def job(rounds: int, progress: Progress) -> list[Row]:
    """The main job as it is called without an argument: time and memory."""
    runs = [child(COMMAND, "quantize") for _ in progress(range(min(rounds, 3)), "quantize")]
    seconds, memory = (iter(each) for each in zip(*runs, strict=True))
    cores = os.cpu_count()
    return [
        measured(
            "job",
            f"`aquant-ref quantize`, all of it, {cores} cores",
            Goal(60, 180, "s"),
            lambda: next(seconds),
            rounds=len(runs),
        ),
        measured(
            "job",
            "peak memory, resnet8, 1024 calibration images",
            Goal(1, 2, "GB"),
            lambda: next(memory),
            rounds=len(runs),
        ),
    ]


def resnet18(rounds: int, progress: Progress) -> list[Row]:
    """Random weights and images: what is measured depends on their number and size alone."""
    from tests.models.test_resnet18 import state_dict  # needs what the tests need

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        make_images(path, train=256, test=8)
        np.savez(path / "weights.npz", **state_dict(classes=2))
        arguments = ("--images", "256", "--iters", "5", "--weights", str(path / "weights.npz"))
        memory = child(
            COMMAND, "quantize", "--model", "resnet18", "--data", f"folder:{path}", *arguments
        )[1]
    return [
        measured(
            "resnet18",
            "peak memory, resnet18, 256 images of 224x224",
            Goal(3, 6, "GB"),
            lambda: memory,
            rounds=1,
        )
    ]


def make_images(path: Path, *, train: int, test: int) -> None:
    """Folders of images in the manner of ImageNet, two classes, noise."""
    rng = np.random.default_rng(0)
    for split, count in (("train", train), ("test", test)):
        for number in range(count):
            folder = path / split / f"class{number % 2}"
            folder.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (256, 256, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.jpg")


def start(rounds: int, progress: Progress) -> list[Row]:
    """How soon the package is there."""
    rows = []
    for work, code, arguments, aim in (
        ("`import aquant_ref`", "import aquant_ref", (), 0.15),
        ("`aquant-ref --help`", COMMAND, ("--help",), 0.25),
    ):
        rows.append(
            measured(
                "start",
                work,
                Goal(aim, 0.5, "s"),
                lambda code=code, arguments=arguments: child(code, *arguments)[0],
                rounds=rounds * STARTS,
            )
        )
    return rows
