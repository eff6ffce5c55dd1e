from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aquant_ref.comparison.agreement import compare
from aquant_ref.data import Images
from aquant_ref.errors import InputError
from aquant_ref.lowering import lower
from tests.engine import networks
from tests.engine.programs import Labelled


def test_a_comparison_counts_every_element_and_finds_a_wrong_threshold() -> None:
    model = networks.residual_network(4)
    images = Labelled(networks.hard_images(model, 200))
    program = lower(model)
    found = compare(model, program, images)
    assert found.exact
    assert found.elements["stem.relu"] == 200 * 4 * 4 * 2
    assert found.elements["head.linear"] == 200 * 3
    changed = next(i for i in program.instructions if i.name == "stem.relu")
    changed.arrays["thresholds"][0, 0] += 1000
    assert compare(model, program, images).mismatches["stem.relu"] > 0
    with pytest.raises(InputError, match="images: needs at least one, got none"):
        compare(model, program, Labelled(images.codes[:0]))


def test_a_program_of_fewer_classes_than_its_model_is_refused_by_name() -> None:
    """Past bug: a traceback from the comparison of arrays that do not fit."""
    model = networks.residual_network(4)
    program = lower(model)
    last = program.instructions[-1]
    arrays = {k: a if k == "zero_point" else a[:2] for k, a in last.arrays.items()}
    cut = replace(program, instructions=(*program.instructions[:-1], replace(last, arrays=arrays)))
    images = Images(networks.hard_images(model, 3), np.zeros(3, np.int64), ("a", "b", "c"), "few")
    with pytest.raises(InputError, match=r"head\.linear"):
        compare(model, cut, images)
