"""The certificate of each layer, before any image: do the integers fit, and can a float disagree?

*Bounds*: an accumulator stays inside int32, the sum of an add, in int64, within 2^53 (AQ-LOWER-2),
and a product is exact in float32 or float64 (`engine.bounds`).

*Margin*: a code changes where the accumulator passes a threshold, a rational number tau. The
accumulators nearest to it are at a distance of at most one step. A float simulation whose rounding
error, counted in accumulator steps, is below that distance must take the same decision: the
threshold is *certified*. Otherwise it is *fragile*: a simulation may differ there by one code. The
error bound is the classical one for n terms in any order (Higham, Accuracy and Stability of
Numerical Algorithms, 2002, section 3.1), with a few roundings more for scales, bias and division:

    |computed - exact| <= gamma * sum of |terms|,     gamma = m*u / (1 - m*u),  m = n + ROUNDINGS
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from aquant_ref.checks import float_dtype, instance
from aquant_ref.engine.bounds import held_in, product_types
from aquant_ref.errors import counted
from aquant_ref.lowering.thresholds import Accumulator, Decisions, Lowering
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.rows import Row, Tabular
from aquant_ref.typing import Codes, Mask, Reals

# Roundings of a term besides the n of its sum: the weight scale, the weight, the activation, their
# product, both terms of an add, and the division by the scale of the output.
ROUNDINGS = 8


@dataclass(frozen=True)
class LayerCertificate:
    """What holds for every image at the tensor `name`, whose integers `accumulator` holds.

    low, high: least and largest accumulator; `held_in`: "int32", or "int64" for the sum of an add,
    which is not limited to int32; `product`: the type that the engine computes its
    product in, exactly; `margin`: least distance, in accumulator steps, of a threshold from an
    accumulator that can occur; `error`: the largest error of the simulation, in the same steps;
    `fragile`: the number of `thresholds` whose distance is not above the error of their channel.
    """

    name: str
    accumulator: str
    low: int
    high: int
    held_in: str
    product: str
    thresholds: int
    margin: float
    error: float
    fragile: int

    @property
    def certified(self) -> bool:
        """Whether the simulation must agree with the engine on every image."""
        return self.fragile == 0


@dataclass(frozen=True)
class Margins:
    """Of one tensor's thresholds, in accumulator steps, for a simulation in some dtype.

    `distance` (C, n): that of each threshold from the accumulators around it; `error` (C,): the
    largest of a simulated accumulator; `least`: the code below all thresholds. `logits` have no
    thresholds, and are not rounded to codes.
    """

    distance: Reals
    error: Reals
    least: int = 0
    logits: bool = False

    @property
    def fragile(self) -> Mask:
        """(C, n), which thresholds are no farther than the error of their channel."""
        return np.asarray(self.distance <= self.error[:, None])

    def explain(self, integers: Codes, simulated: Codes) -> Mask:
        """For codes (n, C, ...) whether a step from the one to the other passes only thresholds
        that are fragile; for logits (n, C) whether it is within the error.

        Where the two are equal there is nothing to explain, and the answer is yes.
        """
        shape = -1, *(1,) * (integers.ndim - 2)
        if self.logits:
            error = np.where(self.error >= 0.5, self.error + 0.5, 0).reshape(shape)
            return np.asarray(abs(integers - simulated) <= error)
        channels, count = self.fragile.shape
        before = np.zeros((channels, count + 1), np.int64)  # how many fragile ones are below
        before[:, 1:] = self.fragile.cumsum(axis=1)
        codes = np.clip(np.asarray((integers, simulated), np.int64) - self.least, 0, count)
        below, above = before[np.arange(channels).reshape(shape), np.sort(codes, axis=0)]
        step = abs(np.asarray(simulated, np.int64) - np.asarray(integers, np.int64))
        return np.asarray(above - below == step)


def margins(lowering: Lowering, *, dtype: Any = np.float64) -> dict[str, Margins]:
    """Compute the margins of all code tensors and the logits, for a simulation in `dtype`.

    Logits are not rounded to codes: the simulation's are counted in units, which is a rounding to
    the nearest integer, so half a step is the one margin of each. A program in fixed point has no
    margins: it has no thresholds, and its simulation makes the same integers.

    Spec: AQ-LOWER-5.
    """
    if lowering.how["lowering"] != "threshold":
        return {}
    known = lowering.program.bounds
    least = {
        each.name: each.attributes["least"]
        for each in lowering.program.instructions
        if each.op == "threshold"
    }
    found = {}
    for decisions in lowering.decisions:
        low, high = known[decisions.accumulator.name]
        distance = _distances(decisions, low.tolist(), high.tolist())
        error = _error(decisions.accumulator, dtype)
        found[decisions.name] = Margins(distance, error, least[decisions.name])
    output = lowering.program.output
    error = _error(lowering.meanings[output], dtype)
    found[output] = Margins(np.full((len(error), 1), 0.5), error, logits=True)
    return found


class Certificate(Tabular, tuple[LayerCertificate, ...]):
    """The certificates of all code tensors and the logits of one program."""

    @property
    def certified(self) -> bool:
        """Whether the simulation must agree with the engine everywhere, on every image."""
        return all(each.certified for each in self)

    def rows(self) -> list[Row]:
        """Return a row a tensor: the fields of `LayerCertificate`."""
        return [{**asdict(each), "certified": each.certified} for each in self]

    def title(self) -> str:
        """Say how many tensors are certified."""
        good = sum(each.certified for each in self)
        of = counted(len(self), "tensor")
        return f"Certificate of {of}: {good} certified, {len(self) - good} fragile"


def certify(model: QuantizedModel | Lowering, *, dtype: Any = np.float64) -> Certificate:
    """Certify all code tensors and the logits, for a simulation in `dtype`.

    `model` is a quantized network, which is lowered to thresholds, or its `Lowering` where that has
    been made. Raises InputError as `Lowering` does. Spec: AQ-LOWER-5.
    """
    if isinstance(model, Lowering):
        lowering = model
    else:
        instance("model", model, QuantizedModel)
        lowering = Lowering(model)
    known, instructions = lowering.program.bounds, lowering.program.instructions
    types, held = product_types(instructions, known), held_in(instructions)
    output = lowering.program.output
    accumulators = {each.name: each.accumulator.name for each in lowering.decisions}
    certificates = []
    for name, each in margins(lowering, dtype=dtype).items():
        accumulator = accumulators.get(name, name)
        low, high = known[accumulator]
        certificates.append(
            LayerCertificate(
                name,
                accumulator,
                int(low.min()),
                int(high.max()),
                held[accumulator],
                types.get(accumulator, "integer"),
                0 if name == output else each.distance.size,
                float(each.distance.min(initial=np.inf)),
                float(each.error.max()),
                int(each.fragile.sum()),
            )
        )
    return Certificate(certificates)


def _distances(decisions: Decisions, low: list[int], high: list[int]) -> Reals:
    """(C, n) distances, in accumulator steps, of each threshold from the accumulators around it."""
    return np.array(
        [
            [_distance(n, d, least, largest) for n, d in row]
            for row, least, largest in zip(decisions.ratios, low, high, strict=True)
        ]
    )


def _distance(n: int, d: int, least: int, largest: int) -> float:
    """Of the threshold n/d."""
    above = -(-n // d)
    if above > largest:
        return (n - largest * d) / d
    if above <= least:
        return (least * d - n) / d
    return min(above * d - n, n - (above - 1) * d) / d


def _error(meaning: Accumulator, dtype: Any) -> Reals:
    """(C,) largest error of a simulated accumulator, in its steps."""
    unit_roundoff = float(np.finfo(float_dtype("dtype", dtype)).eps) / 2
    m = (meaning.terms + ROUNDINGS) * unit_roundoff
    return np.asarray(m / (1 - m) * meaning.size)
