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

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from aquant_ref.engine.bounds import bounds, held_in, product_types
from aquant_ref.engine.lower import Decisions, Lowering, Meaning

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


def certify(lowering: Lowering, *, dtype: Any = np.float64) -> tuple[LayerCertificate, ...]:
    """The certificates of all code tensors and the logits, for a simulation in `dtype`."""
    known = bounds(lowering.program)
    types = product_types(lowering.program)
    held = held_in(lowering.program)
    certificates = []
    for decisions in lowering.decisions:
        name = decisions.accumulator.name
        low, high = known[name]
        margins = _margins(decisions, low.tolist(), high.tolist())
        error = _error(decisions.accumulator, dtype)
        certificates.append(
            LayerCertificate(
                decisions.name,
                name,
                int(low.min()),
                int(high.max()),
                held[name],
                types.get(name, "integer"),
                margins.size,
                float(margins.min(initial=np.inf)),
                float(error.max()),
                int((margins <= error[:, None]).sum()),
            )
        )
    output = lowering.program.output
    low, high = known[output]
    # Logits are not rounded to codes: the simulation's are counted in units, which is a rounding to
    # the nearest integer, so half a step is the margin.
    error = _error(lowering.meanings[output], dtype)
    certificates.append(
        LayerCertificate(
            output,
            output,
            int(low.min()),
            int(high.max()),
            held[output],
            types.get(output, "integer"),
            0,
            0.5,
            float(error.max()),
            int((error >= 0.5).sum()),
        )
    )
    return tuple(certificates)


def _margins(decisions: Decisions, low: list[int], high: list[int]) -> np.ndarray[Any, Any]:
    """(C, n) distances, in accumulator steps, of each threshold from the accumulators around it."""
    return np.array(
        [
            [_distance(tau, least, largest) for tau in row]
            for row, least, largest in zip(decisions.exact, low, high, strict=True)
        ]
    )


def _distance(tau: Any, least: int, largest: int) -> float:
    above = ceil(tau)
    if above > largest:
        return float(tau - largest)
    if above <= least:
        return float(least - tau)
    return float(min(above - tau, tau - (above - 1)))


def _error(meaning: Meaning, dtype: Any) -> np.ndarray[Any, Any]:
    """(C,) largest error of a simulated accumulator, in its steps."""
    unit_roundoff = float(np.finfo(dtype).eps) / 2
    m = (meaning.terms + ROUNDINGS) * unit_roundoff
    return np.asarray(m / (1 - m) * meaning.size)
