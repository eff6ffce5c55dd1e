"""Two recorded runs: the first tensor that differs is found, and the layer that is to blame."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref.comparison.blame import Judge
from aquant_ref.comparison.recording import Recording
from aquant_ref.comparison.runs import Comparison, compare_runs
from aquant_ref.engine import Engine, Program
from aquant_ref.errors import InputError
from aquant_ref.lowering import FixedPointLowering, Lowering
from aquant_ref.nn.graph import INPUT, Builder
from aquant_ref.quant.fixed_point import FixedPoint
from aquant_ref.simulate import Simulation
from aquant_ref.simulate.fixed_point import FixedPointSimulation
from tests.engine import graphs, networks

if TYPE_CHECKING:
    from collections.abc import Callable


MODEL = networks.residual_network(4, weight_bits=4, act_bits=4, size=(8, 7))


IMAGES = networks.hard_images(MODEL, 20)


def recorded(program: Program | None = None) -> Recording:
    """The engine's run of a program on IMAGES."""
    program = Lowering(MODEL).program if program is None else program
    return Recording({"image": IMAGES, **Engine(program).run(IMAGES)})


def wronged(name: str, change: Callable[[dict[str, np.ndarray]], Any]) -> Program:
    """MODEL's program, the arrays of instruction `name` changed."""
    program = Lowering(MODEL).program
    instructions = list(program.instructions)
    for number, each in enumerate(instructions):
        if each.name == name:
            arrays = {key: array.copy() for key, array in each.arrays.items()}
            change(arrays)
            instructions[number] = replace(each, arrays=arrays)
    return replace(program, instructions=tuple(instructions))


def compared(b: Recording | Program, *, judged: bool = True, dtype: Any = np.float64) -> Comparison:
    judge = Judge(Lowering(MODEL), dtype=dtype) if judged else None
    return compare_runs(recorded(), recorded(b) if isinstance(b, Program) else b, judge)


def blamed(found: Comparison, who: str = "B") -> list[str]:
    return [each.name for each in found.verdicts[who] if each.divergence is not None]


@pytest.mark.parametrize("judged", [True, False])
def test_a_run_is_equal_to_itself_and_nobody_is_blamed(judged: bool) -> None:
    found = compared(recorded(), judged=judged)
    assert found.equal
    assert found.first is None
    assert sum(each.elements for each in found.tensors) > 10**4
    assert not any(each.mismatches or each.maximum for each in found.tensors)
    if judged:
        assert blamed(found, "A") == blamed(found, "B") == []
        assert not any(each.why for each in found.verdicts["B"])


def test_what_is_computed_in_float64_is_equal_too() -> None:
    simulated = Recording({**Simulation(MODEL).run(IMAGES)})
    found = compared(simulated)
    assert found.equal
    notes = {each.name: each.note for each in found.tensors}
    assert notes["head.linear"] == "int32 in A, int64 in B"  # which is no difference


DEFECTS: dict[str, tuple[str, Callable[[dict[str, np.ndarray]], Any], str]] = {
    "a bias in one channel": (
        "body.relu1",
        lambda arrays: arrays["thresholds"].__setitem__(2, arrays["thresholds"][2] + 40),
        "one channel",
    ),
    "a weight of one channel": (
        "body.conv1.acc",
        lambda arrays: arrays["weight"].__setitem__(1, -arrays["weight"][1]),
        "one channel",
    ),
    "a code less for all": (
        "stem.relu",
        lambda arrays: arrays.update(thresholds=arrays["thresholds"][:, :-1]),
        "saturation",
    ),
    "a zero point of the last layer": (
        "head.linear",
        lambda arrays: arrays.update(bias=arrays["bias"] + 7),
        "zero point",
    ),
    "the sign of the last layer": (
        "head.linear",
        lambda arrays: arrays.update(weight=-arrays["weight"], bias=-arrays["bias"]),
        "sign",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_wrong_program_differs_first_where_it_is_wrong_and_is_blamed_there_alone(
    name: str,
) -> None:
    """Spec: AQ-TRACE-3."""
    layer, change, defect = DEFECTS[name]
    found = compared(wronged(layer, change))
    tensor = layer if layer in Lowering(MODEL).program.recorded else "body.relu1"
    assert not found.equal
    assert found.first is not None
    assert found.first.name == tensor
    assert found.first.guesses[0].defect == defect
    assert found.first.fragile == 0
    assert blamed(found) == [tensor]
    assert blamed(found, "A") == []
    (verdict,) = (each for each in found.verdicts["B"] if each.divergence is not None)
    assert verdict.divergence == found.first  # everything before it is equal


def test_ties_that_go_the_other_way_are_recognized() -> None:
    """A simulation that rounds a tie down instead of up."""
    model = networks.tied_network(3)
    lowering = Lowering(model)
    images = networks.hard_images(model, 20)
    program = lowering.program
    exact = next(each for each in lowering.decisions if each.name == "body.relu1").exact
    instructions = [
        replace(
            each,
            arrays={
                "thresholds": np.array(
                    [[int(tau // 1) + 1 for tau in row] for row in exact], np.int64
                )
            },
        )
        if each.name == "body.relu1"
        else each
        for each in program.instructions
    ]
    down = replace(program, instructions=tuple(instructions))
    a, b = (Recording({"image": images, **Engine(each).run(images)}) for each in (program, down))
    found = compare_runs(a, b, Judge(lowering)).first
    assert found is not None
    assert found.name == "body.relu1"
    assert found.ties == found.mismatches > 20
    assert "ties" in {guess.defect for guess in found.guesses}


def test_float32_differs_only_in_decisions_named_fragile() -> None:
    model = networks.tied_network(3)
    images = networks.hard_images(model, 30)
    judge = Judge(Lowering(model), dtype=np.float32)
    a = Recording({"image": images, **Engine(judge.program).run(images)})
    b = Recording(Simulation(model, dtype=np.float32).run(images))
    found = compare_runs(a, b, judge)
    assert not found.equal
    for each in found.verdicts["B"]:
        assert each.divergence is None or each.divergence.fragile == each.divergence.mismatches


def changed(**tensors: Any) -> Recording:
    """The right recording with other tensors; None leaves one out."""
    kept = {**recorded().tensors, **{k.replace("__", "."): v for k, v in tensors.items()}}
    return Recording({name: tensor for name, tensor in kept.items() if tensor is not None})


def test_a_tensor_that_is_missing_is_a_difference_and_stated() -> None:
    """Spec: AQ-TRACE-1."""
    found = compared(changed(body__relu1=None))
    assert not found.equal
    assert found.first is None
    lines = {each.name: each.why for each in found.tensors}
    assert lines["body.relu1"] == "is only in A"
    verdicts = {each.name: each.why for each in found.verdicts["B"]}
    assert verdicts["body.relu2"] == "body.relu1, which it reads, is not recorded"
    assert verdicts["head.mean"] == ""


def test_the_images_may_be_missing_but_not_be_others() -> None:
    assert compared(changed(image=None)).equal
    other = compared(changed(image=IMAGES[::-1]))
    assert other.first is not None
    assert other.first.name == "image"
    assert blamed(other) == ["stem.relu"]


def test_a_tensor_of_another_shape_is_stated_and_recognized_when_it_is_transposed() -> None:
    relu = recorded().tensors["stem.relu"]
    (why,) = (each.why for each in compared(changed(stem__relu=relu[:, 1:])).tensors if each.why)
    assert why == "has shape (20, 4, 8, 6) in A, (20, 3, 8, 6) in B"
    found = compared(changed(stem__relu=relu.swapaxes(2, 3)))
    (why,) = (each.why for each in found.tensors if each.why)
    assert "equal after height and width are exchanged" in why
    assert not found.equal


@pytest.mark.parametrize("tensor", [np.float32(0.5), np.int64(-1), np.int64(16)])
def test_values_that_are_no_codes_are_stated_not_run(tensor: Any) -> None:
    relu = recorded().tensors["stem.relu"].astype(tensor.dtype)
    relu[3, 1, 2, 2] = tensor
    found = compared(changed(stem__relu=relu))
    assert found.first is not None
    assert found.first.mismatches == 1
    verdicts = {each.name: each for each in found.verdicts["B"]}
    assert "not codes of 0 to 15" in verdicts["body.relu1"].why
    stem = verdicts["stem.relu"].divergence
    assert stem is not None
    assert stem.mismatches == 1


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_runs_of_random_graphs_are_equal_and_nobody_is_blamed(seed: int) -> None:
    model = graphs.random_model(seed)
    judge = Judge(Lowering(model))
    images = networks.hard_images(model, 5, seed)
    run = Recording({"image": images, **Engine(judge.program).run(images)})
    found = compare_runs(run, run, judge)
    assert found.equal
    assert not any(each.why or each.divergence for each in found.verdicts["B"])


def test_the_edge_is_where_some_window_behind_a_tensor_meets_padding() -> None:
    """Of a concat that of both its inputs, here of rows and of columns."""
    layer = Builder((1, 4, 5))
    with layer.block("all"):
        rows = layer("rows", "conv2d", INPUT, channels=1, kernel=(2, 1), padding=((1, 0), (0, 0)))
        columns = layer("columns", "conv2d", INPUT, channels=1, kernel=(1, 3), padding=(0, 1))
        x = layer("concat", "concat", rows, columns)
        layer("logits", "linear", layer("flatten", "flatten", x), channels=2)
    model = graphs.draw_model(np.random.default_rng(1), layer.graph(), bits=4)
    judge, images = Judge(Lowering(model)), networks.hard_images(model, 9)
    run = {"image": images, **Engine(judge.program).run(images)}
    found = judge.describe("all.concat", run["all.concat"], ~run["all.concat"], run)
    at_edge = 5 + 2 * 3  # the upper row, and the ends of the others
    assert (found.at_edge, found.interior) == (9 * 2 * at_edge, 9 * 2 * (20 - at_edge))


@pytest.mark.parametrize("seed", [1, 5, 8])
def test_runs_in_fixed_point_are_judged_by_their_own_program(seed: int) -> None:
    """Nothing is a tie or fragile there; the layer that is wrong is blamed, as with thresholds."""
    model = graphs.random_model(seed, fixed_point=True)
    options = FixedPoint(5)
    judge = Judge(FixedPointLowering(model, options))
    images = networks.hard_images(model, 9, seed)
    run = {"image": images, **Engine(judge.program).run(images)}
    simulated = FixedPointSimulation(model, options).run(images)
    same = compare_runs(Recording(run), Recording(simulated), judge)
    assert same.equal
    assert not any(each.why or each.divergence for each in same.verdicts["B"])
    name = judge.program.recorded[0]
    cell = (0,) * run[name].ndim
    other = run[name].copy()
    other[cell] = other.min() if other[cell] != other.min() else other.max()
    found = compare_runs(Recording(run), Recording({**run, name: other}), judge)
    assert found.first is not None
    assert (found.first.name, found.first.ties, found.first.fragile) == (name, None, None)
    assert blamed(found)[0] == name


def test_recordings_that_share_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="no tensor is in both runs"):
        compare_runs(recorded(), Recording({"x": np.zeros((2, 3))}))
    with pytest.raises(InputError, match="with the same shape"):
        compare_runs(Recording({"x": np.zeros((2, 4))}), Recording({"x": np.zeros((2, 3))}))
