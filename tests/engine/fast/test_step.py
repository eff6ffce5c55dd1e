from __future__ import annotations

import numpy as np

from aquant_ref.engine import Instruction
from aquant_ref.engine.fast.step import FEW, Step, steps
from aquant_ref.engine.instruction import IMAGE
from tests.engine.programs import conv_program


def prepared(thresholds: int, *, floats: bool) -> dict[str, Step]:
    table = np.arange(thresholds, dtype=np.int64)[None]
    program = conv_program(np.full((1, 2, 1, 1), 3, np.int32), table)
    known = {IMAGE: (np.zeros(2, np.int64), np.full(2, 255)), **program.bounds}
    return steps(program.instructions, known, floats=floats)


def test_a_product_is_made_in_integers_unless_floats_are_exact_and_allowed() -> None:
    assert prepared(1, floats=False)["acc"].kind == "integer"
    assert prepared(1, floats=False)["acc"].pair is None
    assert prepared(1, floats=True)["acc"].kind == "float32"  # 2*3*255 is far below 2^24


def test_many_thresholds_have_a_table_and_few_are_counted() -> None:
    assert prepared(FEW, floats=False)["codes"].table is None
    made = prepared(FEW + 1, floats=False)
    assert made["acc"].table is None
    table = made["codes"].table
    assert table is not None
    acc = np.array([0, 7, FEW, 1530]).reshape(4, 1, 1, 1)
    assert table.codes(acc).ravel().tolist() == [1, 8, FEW + 1, FEW + 1]


def test_every_instruction_has_its_step() -> None:
    made = prepared(2, floats=False)
    assert list(made) == ["acc", "codes"]
    assert all(isinstance(step.instruction, Instruction) for step in made.values())
    assert [step.instruction.name for step in made.values()] == list(made)
