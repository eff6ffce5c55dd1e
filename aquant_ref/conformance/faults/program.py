"""Programs that are changed before they are run."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from aquant_ref.conformance.adapters.base import Adapter
from aquant_ref.conformance.adapters.engine import EngineAdapter
from aquant_ref.conformance.expected.programs import OPERATIONS
from aquant_ref.conformance.faults.fault import Fault
from aquant_ref.conformance.faults.layers import wrapped
from aquant_ref.conformance.faults.sizes import saturated, whole_blocks
from aquant_ref.typing import Array

Change = Callable[[list[dict[str, Any]]], None]


class Programs(Adapter):
    """Runs what `change` has made of the instructions."""

    def __init__(self, name: str, change: Change) -> None:
        self.name, self._change = name, change

    def program(self, *, image: Array, program: list[dict[str, Any]]) -> Array:
        changed = deepcopy(program)
        self._change(changed)
        return EngineAdapter().program(image=image, program=changed)


def every(op: str, key: str, change: Callable[[Any], Any], of: str = "arrays") -> Any:
    """Change one array, or attribute, of every instruction of a kind."""

    def apply(steps: list[dict[str, Any]]) -> None:
        for each in steps:
            if each["op"] == op and key in each[of]:
                each[of][key] = change(each[of][key])

    return apply


def thresholds_of_the_next(steps: list[dict[str, Any]]) -> None:
    found = [each["arrays"] for each in steps if each["op"] == "threshold"]
    for own, other in pairwise(found):
        rows = np.resize(other["thresholds"], np.shape(own["thresholds"]))
        own["thresholds"] = np.sort(rows, axis=1).tolist()


def multipliers_swapped(steps: list[dict[str, Any]]) -> None:
    for arrays in (each["arrays"] for each in steps if each["op"] == "add"):
        first, second = arrays["multiplier_a"], arrays["multiplier_b"]
        arrays |= {"multiplier_a": second, "multiplier_b": first}


def concat_swapped(steps: list[dict[str, Any]]) -> None:
    for each in steps:
        if each["op"] == "concat":
            each["inputs"] = each["inputs"][::-1]


def flattened_as_hwc(steps: list[dict[str, Any]]) -> None:
    """The columns of the last weight in the order that such a flatten would need."""
    positions = next(e["attributes"]["positions"] for e in steps if e["op"] == "flatten")
    arrays = steps[-1]["arrays"]
    order = np.arange(len(arrays["zero_point"])).reshape(-1, positions).T.ravel()
    arrays["weight"] = np.array(arrays["weight"])[:, order].tolist()


def groups_swapped(steps: list[dict[str, Any]]) -> None:
    for each in steps:
        groups = each["attributes"].get("groups", 1)
        if groups > 1:
            weight = np.array(each["arrays"]["weight"])
            each["arrays"]["weight"] = np.roll(weight, len(weight) // groups, axis=0).tolist()


def ones(values: Any) -> Any:
    return np.ones_like(values).tolist()


def first_of_all(values: Any) -> Any:
    return [values[0]] * len(values)


PROGRAMS: list[tuple[str, str, str, Change]] = [
    ("the next layer's thresholds", "pipeline.parameters", "chain", thresholds_of_the_next),
    (
        "codes from 0 on",
        "zero_point.offset",
        "pools",
        every("threshold", "least", lambda least: 0, "attributes"),
    ),
    (
        "one zero point",
        "zero_point.missing",
        "chain",
        every("linear", "zero_point", lambda z: [0] * len(z)),
    ),
    ("multipliers swapped", "add.one_scale", "residual", multipliers_swapped),
    (
        "one multiplier",
        "pipeline.parameters",
        "residual",
        every("add", "multiplier_a", first_of_all),
    ),
    ("concat in the other order", "axis.concat", "concat", concat_swapped),
    ("flatten as HWC", "axis.layout", "chain", flattened_as_hwc),
    ("counts ignored", "pool.count", "pools", every("sum", "factor", ones)),
    ("groups swapped", "axis.groups", "groups", groups_swapped),
    (
        "never up",
        "border.fusion",
        "tables",
        every("fused_conv2d", "lift", lambda lift: [[-(2**30)] * len(row) for row in lift]),
    ),
    (
        "rounded twice",
        "round.twice",
        "fixed_point",
        every("rescale", "bias", lambda bias: [b + 1 for b in bias]),
    ),
    (
        "no polynomial",
        "border.coefficients",
        "fixed_point",
        every("border", "coefficients", lambda c: [[0, 0, 0]] * len(c)),
    ),
]


@dataclass(frozen=True)
class ProgramFault(Fault):
    """Change a program before it is run."""

    change: Change = field(default=lambda steps: None, hash=False)

    def adapter(self, profile: str = "") -> Adapter:
        """Return it as an implementation."""
        return Programs(str(self), self.change)


class Replaced(Adapter):
    """Run a program with another instruction in the place of its own."""

    def __init__(self, name: str, op: str, run: Callable[..., Any]) -> None:
        self.name, self._operations = name, {**OPERATIONS, op: run}

    def program(self, *, image: Array, program: list[dict[str, Any]]) -> Array:
        made = {"image": image.tolist()}
        for each in program:
            terms = [made[name] for name in each["inputs"]]
            run = self._operations[each["op"]]
            made[each["name"]] = run(each["attributes"], each["arrays"], *terms)
        return np.array(made[program[-1]["name"]])


@dataclass(frozen=True)
class InstructionFault(Fault):
    """Compute one instruction of a program in a wrong way."""

    op: str = ""
    run: Callable[..., Any] = field(default=lambda: None, hash=False)

    def adapter(self, profile: str = "") -> Adapter:
        """Return it as an implementation."""
        return Replaced(str(self), self.op, self.run)


def added_in(how: Callable[[Array, int], Array], bits: int) -> Callable[..., Any]:
    """A sum of branches in so many bits."""
    return lambda *given: how(np.array(OPERATIONS["add"](*given)), bits).tolist()


def product_without(size: int) -> Callable[..., Any]:
    """A linear layer without the products after the last whole register."""

    def linear(_attributes: Any, arrays: Any, x: Any) -> Any:
        centred = np.array(x) - arrays["zero_point"]
        places = whole_blocks(size)(len(centred))
        return (np.array(arrays["weight"])[:, places] @ centred[places] + arrays["bias"]).tolist()

    return linear


SIZES: list[tuple[str, str, str, str, Callable[..., Any]]] = [
    ("a sum of branches in int16", "add.wide", "wide_sums", "add", added_in(wrapped, 16)),
    ("a sum of branches in int32", "add.wide", "wide_sums", "add", added_in(wrapped, 32)),
    (
        "a sum of branches saturates in int32",
        "add.wide",
        "wide_sums",
        "add",
        added_in(saturated, 32),
    ),
    (
        "inputs of the last layer after the last 32 left out",
        "tail.products",
        "many_channels",
        "linear",
        product_without(32),
    ),
]

WRONG = [
    *(
        ProgramFault("program", name, defect, flag, change=change)
        for name, defect, flag, change in PROGRAMS
    ),
    *(
        InstructionFault("program", name, defect, flag, op=op, run=run)
        for name, defect, flag, op, run in SIZES
    ),
]
