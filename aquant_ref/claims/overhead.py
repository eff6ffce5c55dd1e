"""Claim 5: count (`costs`) and measure (`timing`) what each form of the border adds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.checks import takes_functions
from aquant_ref.claims.costs import border_cost, network_cost
from aquant_ref.claims.costs import result as counted
from aquant_ref.claims.learned import learned
from aquant_ref.claims.timing import ROUNDS, alternately
from aquant_ref.engine.fast.run import Engine
from aquant_ref.errors import InputError
from aquant_ref.lowering.lowerings import lower
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.network import LearnedNetwork, Quantizers
from aquant_ref.ptq.snap import snap
from aquant_ref.simulate.simulation import Simulation
from aquant_ref.typing import Pixels

if TYPE_CHECKING:
    from aquant_ref.experiments.inputs import Inputs
    from aquant_ref.ptq.methods import Config

FORMS = ("channel", "row", "row/window", "feedback1", "feedback")
NEAREST = "no border"
IMAGES = 128


@takes_functions
def overhead(
    inputs: Inputs,
    config: Config,
    forms: Sequence[str] = FORMS,
    *,
    rounds: int = ROUNDS,
    progress: Progress = quiet,
) -> dict[str, Any]:
    """Return the cost of borders of each of `forms`, as plain JSON values.

    Everything but method and border comes from `config`; the method is `aquant-feedback` for forms
    with feedback and `aquant` for the others. Three programs are timed on up to IMAGES test images:
    the learned network in float32 with the borders as polynomials ("polynomial"), its simulation in
    float32 with crossings and tables ("simulation"), and the integer program if there is one
    ("engine"). Each is compared with the same program without a border, learned by `qdrop`.
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
        of_kind = {name: each[kind] for name, each in programs.items() if kind in each}
        timings = alternately(of_kind, NEAREST, rounds=rounds, progress=progress)
        for name, timing in timings.items():
            times[name][kind] = timing.result()
    cost = network_cost(networks[NEAREST])
    return {
        "config": asdict(config),
        "network": asdict(cost),
        "images": len(codes),
        "rounds": rounds,
        "times_without": times[NEAREST],
        "forms": {
            form: {
                "border": str(configs[form].form),
                **counted(cost, border_cost(networks[form], configs[form].form)),
                "times": times[form],
            }
            for form in forms
        },
    }


def _of_form(config: Config, form: str) -> Config:
    fed_back = any(word.startswith("feedback") for word in form.split("/"))
    return replace(config, method="aquant-feedback" if fed_back else "aquant", border=form)


def _programs(network: LearnedNetwork, codes: Pixels) -> dict[str, Callable[[], object]]:
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
    except InputError:  # it has no integer program
        return programs
    return {**programs, "engine": lambda: engine.run(codes)}
