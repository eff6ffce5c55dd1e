from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref.comparison.blame import Judge
from aquant_ref.comparison.recording import Recording
from aquant_ref.comparison.runs import compare_runs
from aquant_ref.engine import Engine
from aquant_ref.engine.fast.kernels import apply
from aquant_ref.engine.fast.step import Step
from aquant_ref.lowering import Lowering
from tests.comparison.test_runs import IMAGES, MODEL, blamed, compared, recorded, wronged
from tests.engine import graphs, networks


def test_two_layers_that_are_wrong_are_both_blamed_though_the_first_hides_the_second() -> None:
    def change(arrays: dict[str, np.ndarray]) -> None:
        arrays["thresholds"] //= 2

    program = wronged("stem.relu", change)
    second = wronged("body.relu2", change).instructions
    both = tuple(
        two if two.name == "body.relu2" else one
        for one, two in zip(program.instructions, second, strict=True)
    )
    found = compared(replace(program, instructions=both))
    assert found.first is not None
    assert found.first.name == "stem.relu"
    assert blamed(found) == ["stem.relu", "body.relu2"]


@pytest.mark.parametrize("step", [1, -2, 128])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_codes_stored_with_another_zero_point_are_not_held_against_their_readers(
    step: int, dtype: Any
) -> None:
    """Past bug: with a small step their readers were blamed, with a large one not judged."""
    right = recorded().tensors
    moved = {"stem.relu": right["stem.relu"].astype(dtype) + dtype(step)}
    found = compared(Recording({**right, **moved}))
    assert blamed(found) == ["stem.relu"]
    assert not any(each.why for each in found.verdicts["B"])
    assert found.first is not None
    assert [each.defect for each in found.first.guesses] == ["zero point"]


def test_a_reader_of_moved_codes_that_is_wrong_itself_is_blamed() -> None:
    wrong = recorded(wronged("body.relu1", lambda arrays: arrays["thresholds"].__iadd__(40)))
    moved = {"stem.relu": wrong.tensors["stem.relu"].astype(np.int16) + np.int16(1)}
    assert blamed(compared(Recording({**wrong.tensors, **moved}))) == ["stem.relu", "body.relu1"]


def test_a_layer_that_did_read_moved_codes_follows_from_them() -> None:
    """A zero point that is added twice is one defect, of the layer that adds it."""
    right, lowering = recorded().tensors, Lowering(MODEL)
    given = {**right, "stem.relu": np.minimum(right["stem.relu"], 14) + np.uint8(1)}
    engine = Engine(lowering.program)
    after = {"stem.relu": given["stem.relu"]}
    for name in lowering.program.recorded[1:]:
        after[name] = engine.compute(
            name, {read: after[read] for read in lowering.program.sources(name)}
        )
    assert blamed(compared(Recording({**given, **after}))) == ["stem.relu"]


def test_padding_with_the_wrong_code_is_seen_at_the_edge() -> None:
    """Image of zero point (3, 116), padded with code 0: a kernel taller than wide, padded above
    and below only, so that the left and right columns are no edge of it.
    """
    model = networks.residual_network(2, weight_bits=4, act_bits=4, size=(9, 8), zero=(3, 116))
    lowering = Lowering(model)
    images = networks.hard_images(model, 30)
    engine = Engine(lowering.program)
    right = engine.run(images)
    first, second = lowering.program.instructions[:2]
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (0, 0)))  # code 0, not the zero point
    bare = replace(first, attributes={**first.attributes, "padding": [[0, 0]] * 2})
    wrong = apply(Step(second), [apply(Step(bare), [padded])])
    a = Recording({"image": images, "stem.relu": right["stem.relu"]})
    b = Recording({"image": images, "stem.relu": wrong})
    found = compare_runs(a, b, Judge(lowering)).first
    assert found is not None
    assert found.guesses[0].defect == "padding"
    assert found.interior == 0
    assert {place.index[2] for place in found.places} <= {0, 8}
    without = compare_runs(a, b).first
    assert without is not None
    assert without.at_edge == found.at_edge  # the outermost ring holds these rows


def test_signed_codes_are_judged_by_their_own_ends() -> None:
    model = networks.with_signs(MODEL)
    judge = Judge(Lowering(model))
    run = {"image": IMAGES, **Engine(judge.program).run(IMAGES)}
    assert run["stem.relu"].dtype == np.int8
    assert run["stem.relu"].min() == -8
    assert not any(each.why or each.divergence for each in judge.judge(run))
    wide = run["stem.relu"].astype(np.int64)
    wide[0, 0, 0, 0] = 8
    verdicts = {each.name: each for each in judge.judge({**run, "stem.relu": wide})}
    assert "not codes of -8 to 7" in verdicts["body.relu1"].why
    # an implementation that keeps them unsigned differs by their zero point, in every cell
    unsigned = Recording({"image": IMAGES, **Engine(Lowering(MODEL).program).run(IMAGES)})
    found = compare_runs(Recording(run), unsigned, judge).first
    assert found is not None
    assert found.guesses[0].defect == "zero point"


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_in_a_random_graph_the_tensor_that_was_changed_is_blamed_first(seed: int) -> None:
    """One code of one tensor: that tensor is blamed, and what reads it is judged from it."""
    model = graphs.random_model(seed)
    judge, rng = Judge(Lowering(model)), np.random.default_rng(seed)
    images = networks.hard_images(model, 5, seed)
    run = {"image": images, **Engine(judge.program).run(images)}
    name = judge.program.recorded[int(rng.integers(len(judge.program.recorded)))]
    other = run[name].copy()
    cell = int(rng.integers(other.size))
    code = other.flat[cell]
    other.flat[cell] = ~code if other.dtype.kind == "i" else code ^ 1  # a code as good as before
    found = compare_runs(Recording(run), Recording({**run, name: other}), judge)
    assert found.first is not None
    assert (found.first.name, found.first.mismatches) == (name, 1)
    verdicts = {each.name: each for each in found.verdicts["B"]}
    assert not any(each.why for each in verdicts.values())
    blamed_layer = verdicts[name].divergence
    assert blamed_layer is not None
    assert blamed_layer.mismatches == 1
