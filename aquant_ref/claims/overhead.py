"""Claim 5: what a border costs, counted (`costs`) and measured (`timing`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.claims.costs import border_cost, network_cost
from aquant_ref.claims.costs import result as counted
from aquant_ref.claims.learned import learned
from aquant_ref.claims.timing import ROUNDS, alternately
from aquant_ref.engine.fast.run import Engine
from aquant_ref.errors import InputError
from aquant_ref.experiments.inputs import Inputs
from aquant_ref.lowering.lowerings import lower
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.methods import Config
from aquant_ref.ptq.network import LearnedNetwork, Quantizers
from aquant_ref.ptq.snap import snap
from aquant_ref.simulate.simulation import Simulation

FORMS = ("channel", "row", "row/window", "feedback1", "feedback")
NEAREST = "no border"
IMAGES = 128


def overhead(
    inputs: Inputs,
    config: Config,
    forms: Sequence[str] = FORMS,
    *,
    rounds: int = ROUNDS,
    progress: Progress = quiet,
) -> dict[str, Any]:
    """The cost of borders of each of `forms`, as plain JSON values.

    Everything but method and border is that of `config`; forms with feedback are those of
    `aquant-feedback`, the others of `aquant`. Measured are, on up to IMAGES test images, the
    learned network in float32 with the borders as polynomials ("polynomial"); its simulation in
    float32, with crossings and tables in their place ("simulation"); and the integer program where
    there is one ("engine"); each beside the same without a border, which is `qdrop`.
    """
    configs = {NEAREST: replace(config, method="qdrop", border="")}
    configs.update({form: _of_form(config, form) for form in forms})
    networks = dict(
        zip(configs, learned(inputs, list(configs.values()), progress=progress), strict=True)
    )
    codes = inputs.test.batch(np.arange(min(IMAGES, len(inputs.test))))
    programs = {name: _programs(network, codes) for name, network in networks.items()}
    times: dict[str, dict[str, Any]] = {name: {} for name in networks}
    for kind in programs[NEAREST]:
        beside = {name: own[kind] for name, own in programs.items() if kind in own}
        timings = alternately(beside, NEAREST, rounds=rounds, progress=progress)
        for name, timing in timings.items():
            times[name][kind] = timing.result()
    own = network_cost(networks[NEAREST])
    return {
        "config": asdict(config),
        "network": asdict(own),
        "images": len(codes),
        "rounds": rounds,
        "times_without": times[NEAREST],
        "forms": {
            form: {
                "border": str(configs[form].form),
                **counted(own, border_cost(networks[form], configs[form].form)),
                "times": times[form],
            }
            for form in forms
        },
    }


def _of_form(config: Config, form: str) -> Config:
    fed_back = any(word.startswith("feedback") for word in form.split("/"))
    return replace(config, method="aquant-feedback" if fed_back else "aquant", border=form)


def _programs(network: LearnedNetwork, codes: NDArray[Any]) -> dict[str, Callable[[], object]]:
    quantizers, weights = Quantizers(network), network.weights()
    images = network.graph.to_float(codes)

    def polynomial() -> object:
        return network.graph.run(weights, images, hook=quantizers.store, operate=quantizers.operate)

    model = snap(network, {})
    simulation = Simulation(model, dtype=np.float32)
    programs: dict[str, Callable[[], object]] = {
        "polynomial": polynomial,
        "simulation": lambda: simulation.run(codes),
    }
    try:
        engine = Engine(lower(model))
    except InputError:  # has no integer form: nothing to measure
        return programs
    return {**programs, "engine": lambda: engine.run(codes)}
