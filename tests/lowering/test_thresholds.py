from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.engine.fast.kernels import apply
from aquant_ref.engine.fast.step import Step
from aquant_ref.engine.instruction import THRESHOLD_UNREACHED
from aquant_ref.errors import AccumulatorOverflow, InputError
from aquant_ref.lowering import Lowering, lower
from aquant_ref.lowering.thresholds import CEILINGS
from aquant_ref.model.quantized_model import QuantizedModel
from tests.engine import networks
from tests.engine.programs import conv_program
from tests.engine.test_engine import options


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), choice=options)
def test_thresholds_are_sorted_and_each_is_the_least_accumulator(
    seed: int, choice: dict[str, Any]
) -> None:
    """Spec: AQ-LOWER-1."""
    model = networks.residual_network(seed, **choice)
    lowering = Lowering(model)
    tables = {
        i.name: i.arrays["thresholds"]
        for i in lowering.program.instructions
        if i.arrays and i.op == "threshold"
    }
    for decisions in lowering.decisions:
        tensor = model.stored(decisions.name)
        table = tables[decisions.name]
        assert (np.diff(table, axis=1) >= 0).all()
        meaning = decisions.accumulator
        rows = np.broadcast_to(tensor.crossings, table.shape)
        for channel in range(len(table)):
            unit, bias = meaning.unit[channel], meaning.bias[channel]
            for k, least in enumerate(table[channel].tolist()):
                crossing = Fraction(rows[channel, k])
                value = crossing * Fraction(tensor.scale)
                op = model.graph.node(decisions.name).op
                if op in CEILINGS and not 0 < value <= (CEILINGS[op] or value):
                    assert (
                        abs(least) == THRESHOLD_UNREACHED
                    )  # always, or never, whatever the accumulator
                    assert (least < 0) == (value <= 0)
                    continue
                for acc, reached in ((least, True), (least - 1, False)):
                    t = (unit * acc + bias) / Fraction(tensor.scale)
                    assert (t >= crossing) == reached
                expected = oracle.threshold(crossing, Fraction(tensor.scale), unit, bias)
                assert least == expected


def test_every_accumulator_of_a_channel_gets_the_code_of_the_oracle() -> None:
    """Spec: AQ-LOWER-1."""
    model = networks.residual_network(7)
    lowering = Lowering(model)
    known = lowering.program.bounds
    for each in lowering.program.instructions:
        if each.op != "threshold" or each.inputs[0].startswith("body.add"):
            continue
        low, high = known[each.inputs[0]]
        least, largest = int(low.min()), int(high.max())
        accs = np.arange(least, largest + 1)
        if len(accs) > 3000:
            accs = np.unique(np.linspace(least, largest, 400).astype(np.int64))
        channels = len(each.arrays["thresholds"])
        x = np.broadcast_to(accs[:, None, None, None], (len(accs), channels, 1, 1))
        codes = apply(Step(each), [x.astype(np.int32)])
        tensor = model.tensors[each.name]
        decisions = next(d for d in lowering.decisions if d.name == each.name)
        rows = np.broadcast_to(tensor.crossings, (channels, tensor.crossings.shape[1]))
        for channel in range(channels):
            unit = decisions.accumulator.unit[channel]
            bias = decisions.accumulator.bias[channel]
            crossings = [Fraction(c) for c in rows[channel].tolist()]
            for acc, code in zip(accs.tolist(), codes[:, channel, 0, 0].tolist(), strict=True):
                t = (unit * acc + bias) / Fraction(tensor.scale)
                assert code == oracle.code(t, crossings)


def test_terms_whose_units_are_too_far_apart_are_refused() -> None:
    """Past bug: OverflowError from numpy, without the name of the add."""
    model = networks.residual_network(11)
    layer = model.layers["body.shortcut"]
    far = {**model.layers, "body.shortcut": replace(layer, unit=np.ldexp(layer.unit, -70))}
    with pytest.raises(AccumulatorOverflow, match="body.add.acc: its terms have units"):
        lower(QuantizedModel(model.graph, far, model.tensors))


@pytest.mark.parametrize("count", [3, 40, 300])
def test_thresholds_count_what_they_reach_at_their_ends(count: int) -> None:
    thresholds = np.sort(np.random.default_rng(count).integers(-900, 900, (1, count)))
    acc = np.concatenate([thresholds[0], thresholds[0] - 1, [-(2**31), 2**31 - 1]])
    program = conv_program(np.ones((1, 1, 1, 1), np.int8), thresholds)
    codes = apply(Step(program.instructions[1]), [acc.reshape(-1, 1, 1, 1)])
    expected = [sum(a >= t for t in thresholds[0].tolist()) for a in acc.tolist()]
    assert codes.ravel().tolist() == expected


def test_what_has_no_integer_form_is_refused_by_name() -> None:
    model = networks.residual_network(9)
    tensors = {name: t for name, t in model.tensors.items() if name != "body.relu1"}
    with pytest.raises(InputError, match=r"body.relu1"):
        lower(QuantizedModel(model.graph, model.layers, tensors))
