"""What a case offers besides its fields, to methods that name it and in every directory."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import Adapter, Capabilities, vectors, verify
from aquant_ref.conformance.adapters import EngineAdapter
from aquant_ref.conformance.adapters.directory import head_of, write_case
from aquant_ref.conformance.adapters.offered import Offered, named
from aquant_ref.conformance.cases.family import Cases, objects
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.conformance.contract import get


def test_stored_and_generated_cases_have_one_width_and_sign() -> None:
    seen: set[tuple[Any, ...]] = set()

    class Asks(EngineAdapter):
        def capabilities(self) -> Capabilities:
            return Capabilities(bits=(4, 8), sizes=("small",))

        def clip(self, *, v: Any, low: Any, high: Any) -> Any:
            return np.clip(v, low, high)

        def add(self, *, bits: int, signed: bool, **fields: Any) -> Any:
            seen.add(("add", bits, signed))
            ends = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
            for name in ("a", "b", "qmin", "qmax"):
                assert ends[0] <= fields[name].min() <= fields[name].max() <= ends[1]
            return super().add(**fields)

        def linear(self, *, x: Any, bits: int, signed: bool, bias_int: Any, **fields: Any) -> Any:
            seen.add(("linear", bits, signed))
            assert type(bits) is int
            assert type(signed) is bool
            unit = fields["x_scale"] * fields["weight_scale"]
            assert bias_int.dtype == np.int64
            assert np.array_equal(bias_int * unit, fields["bias"])
            low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
            assert low <= x.min() <= x.max() <= high
            return super().linear(x=x, **fields)

    report = verify(Asks(), operations=["clip", "add", "linear"], generated=60)
    assert report.exit_code == 0, report.text()
    every = {(bits, signed) for bits in (4, 8) for signed in (False, True)}
    assert {each[1:] for each in seen if each[0] == "add"} == every
    assert {each[1:] for each in seen if each[0] == "linear"} == every


def test_a_method_gets_the_fields_that_it_names_and_no_more() -> None:
    """Past bug: one that lacks a field could not be asked at all."""

    class Plain(Adapter):
        def capabilities(self) -> Capabilities:
            return Capabilities(bits=(8,), granularity=("tensor",), sizes=("small",))

        def round(self, *, t: Any) -> Any:
            return np.floor(t + 0.5).astype(np.int64)

        def conv2d(self, **fields: Any) -> Any:  # of 1.2: it passes on all that it gets
            assert not {"bits", "signed", "bias_int"} & fields.keys()
            return EngineAdapter().conv2d(**fields)

    only = ["round/random/half_up-1", "round/tie/half_up-1"]
    assert verify(Plain(), operations=["round"], only=only).total()["pass"] == 2
    report = verify(Plain(), operations=["conv2d"], generated=0)
    assert report.exit_code == 0, report.text()


def test_what_has_several_types_or_none_is_offered_as_none() -> None:
    mixed = Selection("add")
    cases = generate(mixed, range(200))
    offered = Offered(mixed, cases)
    ends = {(b, s): ((-(1 << b - 1), (1 << b - 1) - 1) if s else (0, (1 << b) - 1))
            for b in (2, 4, 8, 16) for s in (False, True)}  # fmt: skip
    known = 0
    for k in range(200):
        found = offered.of(k)
        assert found["bias_int"] is None
        if found["bits"] is not None:
            known += 1
            pair = cases.columns["qmin"][k], cases.columns["qmax"][k]
            assert pair == ends[found["bits"], found["signed"]]
    assert 100 < known < 200  # a ReLU hides the width
    clip = generate(Selection("clip"), range(3))
    assert Offered(Selection("clip"), clip).of(0)["bits"] is None


@pytest.mark.parametrize(
    ("bias", "whole"), [([0.5, -1.5], [2, -2]), ([0.5, 0.1], None), ([2.0**70, 0.0], None)]
)
def test_a_bias_is_an_integer_if_it_is_a_whole_number_of_units(
    bias: list[float], whole: list[int] | None
) -> None:
    columns = {
        "x_scale": objects([0.5]),
        "weight_scale": objects([np.array([0.5, 1.5])]),
        "bias": objects([np.array(bias)]),
    }
    cases = Cases(get("linear"), "exact", ["a"], [("made",)], np.zeros(1, int), columns)
    got = Offered(Selection("linear"), cases).of(0)["bias_int"]
    assert got is None if whole is None else got.tolist() == whole


def test_a_directory_has_the_same(tmp_path: Path) -> None:
    """Spec: AQ-CONF-11."""
    group = vectors.load("linear")[0]
    operation = group.cases.operation
    inputs = {f.name: group.cases.columns[f.name][0] for f in operation.fields}
    head = head_of(group.selection, group.cases, 0)
    write_case(tmp_path, head, operation.fields, operation.result, inputs)
    case = json.loads((tmp_path / "desc.json").read_text())
    assert [case["bits"]] == list(group.selection.bits)
    assert case["signed"] is (group.selection.signs == ("signed",))
    assert case["bias_int"] == "in_bias_int.npy"
    stored = np.load(tmp_path / case["bias_int"], allow_pickle=False)
    assert stored.dtype == np.dtype("<i8")
    unit = inputs["x_scale"] * inputs["weight_scale"]
    assert np.array_equal(stored * unit, inputs["bias"])


def test_the_keywords_of_a_method_are_read_from_it() -> None:
    def method(a: Any, /, b: Any, *, c: Any = 1) -> None: ...

    assert named(method) == ({"b", "c"}, False)
    assert named(lambda **rest: None) == (frozenset(), True)
    assert named(partial(method, 1)) == ({"b", "c"}, False)
    assert named(max)[1]
