"""An interpreter in C, written from PROGRAM.md alone, makes what the engine makes.

`interpreter.c` shares no line with the package, so it also checks the page.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aquant_ref.engine import Engine, Instruction, Program, interpreter
from aquant_ref.engine.operations import OPERATIONS
from aquant_ref.lowering import lower
from aquant_ref.quant.fixed_point import FLOAT_PROFILES, PROFILES
from tests.engine import graphs, networks

WINDOWS = {
    "fused": networks.residual_network(1, windows="fused", pool=True, shortcut=False, groups=2),
    "row": networks.residual_network(2, windows="row", pool=True, zero=(3, 116)),
    **{
        f"feedback {seed}": networks.residual_network(
            seed, windows="feedback", signed=seed == 4, groups=groups, stride=stride
        )
        for seed, groups, stride in ((3, 1, 1), (4, 2, 2), (5, 4, 1))
    },
}
Interpreter = Callable[[Program, np.ndarray], dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    """Run a program in C: every tensor by name."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("interpreter")
    executable, source = folder / "interpreter", Path(__file__).parent / "interpreter.c"
    subprocess.run([compiler, "-O1", "-std=c99", "-o", executable, source], check=True)

    def run(program: Program, images: np.ndarray) -> dict[str, np.ndarray]:
        program.save(folder / "program.npz")
        np.save(folder / "images.npy", images)
        files = ("program.npz", "images.npy", "out")
        done = subprocess.run(
            [executable, *(folder / name for name in files)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        names = [each.name for each in program.instructions]
        with (folder / "out").open("rb") as stream:
            made = [{name: np.load(stream) for name in names} for _ in images]
            assert not stream.read()
        return {name: np.stack([each[name] for each in made]) for name in names}

    return run


def assert_c_equals_engine(in_c: Interpreter, program: Program, images: np.ndarray) -> None:
    """In what the engine records, and between that in what the plain interpreter makes."""
    made = in_c(program, images)
    for name, tensor in Engine(program).run(images).items():
        assert np.array_equal(made[name], tensor), name
    tensors = {"image": images}
    for each in program.instructions:
        tensors[each.name] = interpreter.apply(each, [tensors[name] for name in each.inputs])
        assert np.array_equal(made[each.name], tensors[each.name]), each.name


@pytest.mark.parametrize("seed", range(5))
def test_random_graphs_are_computed_alike(in_c: Interpreter, seed: int) -> None:
    model = graphs.random_model(seed)
    assert_c_equals_engine(in_c, lower(model), networks.hard_images(model, 3, seed))


@pytest.mark.parametrize("profile", PROFILES)
def test_fixed_point_is_computed_alike_in_every_profile(in_c: Interpreter, profile: str) -> None:
    model = graphs.random_model(3, fixed_point=True)
    ties = networks.tied(networks.residual_network(4), 2, 4)
    for each, bits in ((model, 4), (ties, 2), (WINDOWS["fused"], 8)):
        program = lower(each, "fixed_point", fraction_bits=bits, profile=profile)
        assert_c_equals_engine(in_c, program, networks.hard_images(each, 3))


@pytest.mark.parametrize("windows", WINDOWS)
def test_borders_of_windows_are_computed_alike(in_c: Interpreter, windows: str) -> None:
    model = WINDOWS[windows]
    assert_c_equals_engine(in_c, lower(model), networks.hard_images(model, 3))


@pytest.mark.parametrize("profile", FLOAT_PROFILES)
def test_a_float_multiplier_of_any_size_makes_0_of_0(in_c: Interpreter, profile: str) -> None:
    """It may lie beyond float32, where infinity times 0 would be no number."""
    multiplier = np.array([1.7e308, 1e39, 5e-324, 0.5])
    none = np.zeros(4, np.int32)
    arrays = {"left": none, "bias": none, "multiplier": multiplier}
    thresholds = {"thresholds": np.zeros((4, 1), np.int64)}
    weight = {"weight": np.ones((1, 4), np.int8), "bias": none[:1], "zero_point": none}
    instructions = (
        Instruction("flat", "flatten", ("image",), {"positions": 1}),
        Instruction('a "T"/1', "rescale_float", ("flat",), {"profile": profile}, arrays),
        Instruction("code", "threshold", ('a "T"/1',), {"least": 0}, thresholds),
        Instruction("logits", "linear", ("code",), {}, weight),
    )
    images = np.array([0, 1, 3, 255], np.uint8).repeat(4).reshape(4, 4, 1, 1)
    assert_c_equals_engine(in_c, Program((4, 1, 1), instructions), images)


def test_these_programs_have_every_instruction() -> None:
    models = [graphs.random_model(seed) for seed in range(5)]
    programs = [lower(model) for model in (*models, *WINDOWS.values())]
    fixed = graphs.random_model(3, fixed_point=True)
    programs += [lower(fixed, "fixed_point", profile=profile) for profile in PROFILES]
    assert {each.op for program in programs for each in program.instructions} == OPERATIONS.keys()
