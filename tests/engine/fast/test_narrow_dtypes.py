from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref.engine.bounds import magnitude
from aquant_ref.engine.fast.kernels import apply
from aquant_ref.engine.fast.narrow_dtypes import narrowed
from aquant_ref.engine.fast.step import Step
from aquant_ref.lowering import lower
from tests.engine import graphs

INT32_MAX = 2**31 - 1


@given(seed=st.integers(0, 10**6))
def test_a_narrowed_program_has_the_same_codes(seed: int) -> None:
    """Instruction by instruction, at both ends of every channel and at all thresholds."""
    model = graphs.random_model(seed)
    program = lower(model)
    known = program.bounds
    small = {each.name: each for each in narrowed(program.instructions, known)}
    for each in program.instructions:
        if each.op not in ("threshold", "add"):
            assert small[each.name] is each or each.op == "conv2d"
            for key, array in each.arrays.items():
                assert np.array_equal(small[each.name].arrays[key], array)
            continue
        ends = [known[name] for name in each.inputs]
        points = [[low, high, (low + high) // 2] for low, high in ends]
        if each.op == "threshold":
            low, high = (e[:, None] for e in ends[0])
            thresholds = each.arrays["thresholds"]
            points[0] += [np.clip(thresholds + d, low, high).T for d in (-1, 0, 1)]
        inputs = [np.vstack(p).T[None, :, :, None] for p in points]
        if max(map(magnitude, ends)) <= INT32_MAX:
            inputs = [x.astype(np.int32) for x in inputs]
        wanted, made = (apply(Step(one), inputs) for one in (each, small[each.name]))
        assert np.array_equal(made, wanted)
